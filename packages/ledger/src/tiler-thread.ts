import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { openReadOnly } from '@deed/store';
import { leafOf, readEntries } from './entry.ts';
import { LedgerError } from './errors.ts';
import { TileFolder } from './tile-folder.ts';
import { tileWidth } from './tile-path.ts';
import { TileTree } from './tile-tree.ts';
import { appendCommitted, type ThreadAnswer, type ThreadRequest, type ThreadStart } from './tiler.ts';

/** The thread of a `Tiler`: takes up the tree at a size whose full tiles are in the folder, and goes on when it is asked. */
const { folder, size } = workerData as ThreadStart;
const reader = openReadOnly(folder);
const tree = new TileTree(new TileFolder(join(folder, 'log')));
let begun = false;

function advance(request: ThreadRequest): ThreadAnswer {
  try {
    if (!begun) tree.resume(size, readEntries(reader, size - (size % tileWidth), size).map(leafOf));
    begun = true;
    while (appendCommitted(reader, tree));
    if (request === 'advance with partials') tree.writePartials();
    else tree.flush();
    return { done: tree.state() };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const code = error instanceof LedgerError ? error.code : 'stopped';
    return { failed: { code, message: error.message, stack: error.stack ?? '' } };
  }
}

parentPort?.on('message', (request: ThreadRequest) => {
  if (request === 'close') {
    reader.close();
    parentPort?.close();
  } else parentPort?.postMessage(advance(request));
});
