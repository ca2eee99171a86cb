import { join } from 'node:path';
import {
  type Checkpoint,
  DeedError,
  equalBytes,
  formatNote,
  holdsFor,
  type NoteKey,
  noteVerifier,
  parseCheckpoint,
  parseNote,
  rootOf,
  verifyNote,
} from '@deed/evidence';
import type { ReadDatabase } from '@deed/store';
import { readIfThere } from '../log-folder/log-files.ts';
import { type KnownLogKey, readLogKeySpans, signersOf } from '../log-key-spans.ts';
import type { Examined } from './examined.ts';

interface Row {
  readonly size: number;
  readonly root: Uint8Array;
  readonly note: string;
  readonly given: string | null;
  readonly witnessed: number;
}

/** Checks the published checkpoint and all stored ones. Returns the published size, 0 if nothing is published. */
export function checkCheckpoints(examined: Examined, keys: readonly NoteKey[], origin: string): number {
  const { database, size, add } = examined;
  const logKeys = keys.filter((key) => key.name === origin);
  const spans = readLogKeySpans(database);
  const check = (where: string, note: string): Checkpoint | undefined => {
    try {
      const checkpoint = checkNote(note, keys, logKeys, spans, origin);
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
  for (const row of rowsOf(database)) {
    const where = `checkpoint row ${row.size}`;
    const own = signersOf(spans, row.size).length;
    for (const note of row.given === null || row.given === row.note ? [row.note] : [row.note, row.given]) {
      const checkpoint = check(where, note);
      if (checkpoint && (checkpoint.size !== row.size || !equalBytes(checkpoint.root, row.root))) {
        add('checkpoint', where, 'the row and its note name other sizes or roots');
      }
      if (row.witnessed !== 0 && note.split('\n— ').length - 1 <= own) {
        add('checkpoint', where, 'is marked as witnessed and carries no cosignature');
      }
    }
  }
  return checkPublished(examined, check);
}

/** One at a time: as many stay as somebody was given. */
function* rowsOf(database: ReadDatabase): Generator<Row> {
  const next = 'SELECT size, root, note, given, witnessed FROM checkpoint WHERE size > ? ORDER BY size LIMIT 1';
  for (let row = database.get<Row>(next, Number.MIN_SAFE_INTEGER); row; row = database.get<Row>(next, row.size)) {
    yield row;
  }
}

/** The server writes the row first and the file next: a crash between the two leaves the file absent or one step behind. */
function checkPublished(
  { database, logFolder, size, add }: Examined,
  check: (where: string, note: string) => Checkpoint | undefined,
): number {
  // The file first: while it is read the rows may only go on.
  const published = readIfThere(join(logFolder, 'checkpoint'))?.toString('utf8');
  const stored = database.get<Pick<Row, 'size' | 'note'>>(
    'SELECT size, note FROM checkpoint ORDER BY size DESC LIMIT 1',
  );
  if (published === undefined) {
    if (stored) add('unfinished', 'checkpoint', 'nothing is published yet');
    return 0;
  }
  const checkpoint = check('checkpoint', published);
  if (checkpoint && published !== stored?.note) {
    const isBehind = stored !== undefined && checkpoint.size <= stored.size;
    if (isBehind) add('unfinished', 'checkpoint', 'the newest one of the database is not published yet');
    else add('checkpoint', 'checkpoint', 'is newer than the newest one of the database');
  }
  return Math.min(checkpoint?.size ?? 0, size);
}

/** All of the log's keys that hold for its size must have signed, and every line must be a known key's: a flipped bit anywhere shows. */
function checkNote(
  text: string,
  keys: readonly NoteKey[],
  logKeys: readonly NoteKey[],
  spans: readonly KnownLogKey[],
  origin: string,
): Checkpoint {
  const note = parseNote(text);
  const checkpoint = parseCheckpoint(note.text);
  const verified = verifyNote(note, keys.map(noteVerifier));
  const { length } = note.signatures;
  if (verified.length !== length) throw unknown('carries a signature of an unknown key');
  const holding = logKeys.filter(({ id }) =>
    spans.every(({ key, span }) => key.id !== id || holdsFor(span, checkpoint.size)),
  );
  const missing = holding.find((key) => !verified.some((line) => line.id === key.id && line.name === key.name));
  if (missing || holding.length === 0) throw unknown(`is not signed by every key of the log ${origin}`);
  if (checkpoint.origin !== origin) throw unknown(`is of another log, ${checkpoint.origin}`);
  if (formatNote(note) !== text) throw unknown('is not in its one form');
  return checkpoint;
}

function unknown(what: string): DeedError<'checkpoint'> {
  return new DeedError('checkpoint', what);
}
