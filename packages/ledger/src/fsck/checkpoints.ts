import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Checkpoint,
  DeedError,
  equalBytes,
  formatNote,
  type NoteKey,
  noteVerifier,
  parseCheckpoint,
  parseNote,
  rootOf,
  verifyNote,
} from '@deed/evidence';
import type { Examined } from './examined.ts';

interface Row {
  readonly size: number;
  readonly root: Uint8Array;
  readonly note: string;
  readonly witnessed: number;
}

/** Checks the published checkpoint and all stored ones. Returns the published size, 0 if nothing is published. */
export function checkCheckpoints(examined: Examined, keys: readonly NoteKey[], origin: string): number {
  const { database, size, add } = examined;
  const logKeys = keys.filter((key) => key.name === origin);
  const check = (where: string, note: string): Checkpoint | undefined => {
    try {
      const checkpoint = checkNote(note, keys, logKeys, origin);
      if (checkpoint.size > size) {
        // A server may have grown the log since this check began.
        const now = database.get<{ size: number }>('SELECT size FROM head')?.size ?? 0;
        if (checkpoint.size > now) add('checkpoint', where, `covers ${checkpoint.size} entries, there are ${now}`);
      } else if (!equalBytes(rootOf(examined.tree, checkpoint.size), checkpoint.root)) {
        add('checkpoint', where, `its root is not that of the first ${checkpoint.size} entries`);
      }
      return checkpoint;
    } catch (error) {
      if (!(error instanceof DeedError)) throw error;
      add('checkpoint', where, error.message);
      return undefined;
    }
  };
  for (const row of database.all<Row>('SELECT size, root, note, witnessed FROM checkpoint')) {
    const where = `checkpoint row ${row.size}`;
    const checkpoint = check(where, row.note);
    if (checkpoint && (checkpoint.size !== row.size || !equalBytes(checkpoint.root, row.root))) {
      add('checkpoint', where, 'the row and its note name other sizes or roots');
    }
    if (row.witnessed !== 0 && row.note.split('\n— ').length - 1 <= logKeys.length) {
      add('checkpoint', where, 'is marked as witnessed and carries no cosignature');
    }
  }
  const published = readPublished(examined);
  if (published === undefined) {
    if (database.get('SELECT 1 FROM checkpoint')) add('missing', 'checkpoint', 'nothing is published');
    return 0;
  }
  const checkpoint = check('checkpoint', published.note);
  if (!published.isStored) add('checkpoint', 'checkpoint', 'is not the newest one of the database');
  return Math.min(checkpoint?.size ?? 0, size);
}

/** All of the log's keys must have signed, and every line must be a known key's: a flipped bit anywhere shows. */
function checkNote(text: string, keys: readonly NoteKey[], logKeys: readonly NoteKey[], origin: string): Checkpoint {
  const note = parseNote(text);
  const checkpoint = parseCheckpoint(note.text);
  const verified = verifyNote(note, keys.map(noteVerifier));
  const { length } = note.signatures;
  if (verified.length !== length) throw unknown('carries a signature of an unknown key');
  const missing = logKeys.find((key) => !verified.some((line) => line.id === key.id && line.name === key.name));
  if (missing || logKeys.length === 0) throw unknown(`is not signed by every key of the log ${origin}`);
  if (checkpoint.origin !== origin) throw unknown(`is of another log, ${checkpoint.origin}`);
  if (formatNote(note) !== text) throw unknown('is not in its one form');
  return checkpoint;
}

/** The server writes the row first and the file next: a difference counts only if it stays. */
function readPublished(examined: Examined): { readonly note: string; readonly isStored: boolean } | undefined {
  const read = () => {
    try {
      return readFileSync(join(examined.logFolder, 'checkpoint'), 'utf8');
    } catch {
      return undefined;
    }
  };
  let note = read();
  for (let attempt = 0; attempt < 5; attempt++) {
    const sql = 'SELECT note FROM checkpoint ORDER BY size DESC LIMIT 1';
    const stored = examined.database.get<{ note: string }>(sql)?.note;
    if (note !== undefined && note === stored) return { note, isStored: true };
    note = read();
  }
  return note === undefined ? undefined : { note, isStored: false };
}

function unknown(what: string): DeedError<'checkpoint'> {
  return new DeedError('checkpoint', what);
}
