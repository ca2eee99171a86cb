import {
  type Checkpoint,
  equalBytes,
  noteVerifier,
  parseCheckpoint,
  parseNote,
  signatureTimestamp,
  verifyNote,
} from '@deed/evidence';
import type { Database, Reading } from '@deed/store';
import type { Checkpoints } from './checkpoints.ts';
import { leafOf, readEntries } from './entry.ts';
import { LedgerError } from './errors.ts';
import { addLogKey, type KnownLogKey, readLogKeySpans, signersOf } from './log-key-spans.ts';
import type { LogKeys } from './log-keys.ts';
import type { TileFolder } from './tile-folder.ts';
import { tileWidth } from './tile-path.ts';
import type { TileTree } from './tile-tree.ts';

export interface Recovery {
  readonly database: Database;
  readonly folder: TileFolder;
  readonly tree: TileTree;
  readonly checkpoints: Checkpoints;
  readonly logKeys: LogKeys;
  readonly nowMs: number;
}

/** How far the clock may stand before the newest checkpoint's time. */
const clockToleranceMs = 60_000;

/**
 * Takes up the published tree, or refuses to go on. Afterwards the tree stands at the published size, its partial tiles are
 * whole, and `checkpoints.latest` is what the folder shows to the world.
 * @throws LedgerError foreign, damaged, clock
 */
export function recover(recovery: Recovery): void {
  const { database, folder, tree, checkpoints } = recovery;
  const size = database.get<{ size: number }>('SELECT size FROM head')?.size ?? 0;
  checkKeys(recovery, size);
  const rows = database.get<{ count: number; newest: number | null }>(
    'SELECT count(*) AS count, max(idx) AS newest FROM entry',
  );
  if (rows?.count !== size || (rows.newest ?? -1) !== size - 1) {
    throw new LedgerError(
      'damaged',
      `the database counts ${size} entries and holds ${rows?.count ?? 0}: run \`deed log fsck\`, then restore: docs/restore.md, step 1`,
    );
  }
  const published = publishedCheckpoint(recovery);
  if (!published) return;
  if (published.size > size) {
    throw new LedgerError(
      'damaged',
      `the published checkpoint covers ${published.size} entries and the database holds ${size}: an old copy? Restore the newest: docs/restore.md, step 1`,
    );
  }
  resumeTree(recovery, published);
  tree.writePartials({ repairPartial: true });
  const { latest } = checkpoints;
  if (latest && latest.note !== folder.readCheckpoint()) folder.writeCheckpoint(latest.note);
}

/** A folder belongs to the keys it was begun with, and to those that took their place. */
function checkKeys({ database, logKeys }: Recovery, size: number): void {
  const known = readLogKeySpans(database);
  if (known.length === 0) {
    database.transaction((tx) => logKeys.vkeys.forEach((vkey) => void addLogKey(tx, vkey)));
    return;
  }
  const isKnown = (vkey: string) => known.some((one) => one.vkey === vkey);
  const isHere = ({ vkey }: KnownLogKey) => logKeys.vkeys.includes(vkey);
  if (!logKeys.vkeys.every(isKnown) || !signersOf(known, size + 1).every(isHere)) {
    const wanted = signersOf(known, size + 1).map(({ vkey }) => vkey);
    throw new LedgerError(
      'foreign',
      `this folder belongs to the log with the keys ${wanted.join(', ')}: put its own keys back, docs/restore.md, step 4`,
    );
  }
}

/** The newest of what the folder shows and what the database holds: a crash may have come between the two. */
function publishedCheckpoint(recovery: Recovery): Checkpoint | undefined {
  const { folder, checkpoints } = recovery;
  const fileNote = folder.readCheckpoint();
  const inFile = fileNote === undefined ? undefined : checked(fileNote, recovery);
  const inDatabase = checkpoints.latest && checked(checkpoints.latest.note, recovery);
  if (inFile && (!inDatabase || inFile.size > inDatabase.size)) {
    throw new LedgerError(
      'damaged',
      `the published checkpoint covers ${inFile.size} entries and the database knows of ${inDatabase?.size ?? 'none'}: an old copy of the database? Restore the newest: docs/restore.md, step 1`,
    );
  }
  if (inFile && inDatabase && inFile.size === inDatabase.size && !equalBytes(inFile.root, inDatabase.root)) {
    throw new LedgerError(
      'damaged',
      `two roots for ${inFile.size} entries: the published one is not the database's. Keep the folder as it is and see docs/restore.md, step 3`,
    );
  }
  return inDatabase;
}

function checked(noteText: string, { database, logKeys, nowMs }: Recovery): Checkpoint {
  const note = parseNote(noteText);
  const checkpoint = parseCheckpoint(note.text);
  const keys = signersOf(readLogKeySpans(database), checkpoint.size).map(({ key }) => key);
  const signed = verifiedOrForeign(() => verifyNote(note, keys.map(noteVerifier)));
  for (const key of keys) {
    const line = signed.find((signature) => signature.id === key.id);
    if (!line || checkpoint.origin !== logKeys.origin) {
      throw new LedgerError(
        'foreign',
        `the checkpoint of ${checkpoint.origin} is not signed by key ${key.id} of this log`,
      );
    }
    const seconds = signatureTimestamp(key, line.signature);
    if (seconds !== undefined && nowMs < seconds * 1000 - clockToleranceMs) {
      throw new LedgerError(
        'clock',
        `the clock says ${new Date(nowMs).toISOString()}, the newest checkpoint was signed at ${new Date(seconds * 1000).toISOString()}; set the clock`,
      );
    }
  }
  return checkpoint;
}

function verifiedOrForeign<T>(run: () => T): T {
  try {
    return run();
  } catch (cause) {
    throw new LedgerError('foreign', 'the checkpoint carries a signature under our key that does not verify', {
      cause,
    });
  }
}

/**
 * Takes up the tree at a checkpoint, from the tiles of its folder or, where they do not do, from the rows.
 * @throws LedgerError damaged (the rows give another root; a full tile holds other bytes)
 */
export function resumeTree(
  { database, tree }: { readonly database: Reading; readonly tree: TileTree },
  published: Pick<Checkpoint, 'size' | 'root'>,
): void {
  const { size, root } = published;
  const begin = size - (size % tileWidth);
  const resume = () => tree.resume(size, readEntries(database, begin, size).map(leafOf));
  try {
    resume();
    if (equalBytes(tree.view().root(), root)) return;
  } catch (error) {
    if (!(error instanceof LedgerError)) throw error;
  }
  // Tiles are absent or wrong: make them all again. Absent ones come back; a different one is never overwritten.
  tree.resume(0, []);
  for (let at = 0; at < size; at += tileWidth) {
    for (const entry of readEntries(database, at, Math.min(size, at + tileWidth))) tree.append(leafOf(entry));
  }
  tree.flush();
  if (!equalBytes(tree.view().root(), root)) {
    throw new LedgerError(
      'damaged',
      `the database gives another root for ${size} entries than the signed checkpoint: run \`deed log fsck\`, then restore: docs/restore.md, step 1`,
    );
  }
}
