import type { Reading } from '@deed/store';
import { resumeTree } from './recover.ts';
import { TileFolder } from './tile-folder.ts';
import { TileTree } from './tile-tree.ts';

/**
 * Makes the log's folder that the newest checkpoint of a database shows: tiles are a pure function of the rows, so nothing is
 * copied that the rows and the signed root do not confirm. Full tiles that are there are taken up. Partial tiles are not
 * fsynced. Returns the checkpoint's size, 0 without one.
 * @throws LedgerError damaged (the rows give another root; a full tile holds other bytes)
 */
export function layOutLog(database: Reading, logFolder: string): number {
  const folder = new TileFolder(logFolder);
  const newest = database.get<{ size: number; root: Uint8Array; note: string }>(
    'SELECT size, root, note FROM checkpoint ORDER BY size DESC LIMIT 1',
  );
  if (!newest) return 0;
  const tree = new TileTree(folder);
  resumeTree({ database, tree }, newest);
  tree.writePartials({ repairPartial: true });
  folder.writeCheckpoint(newest.note);
  return newest.size;
}
