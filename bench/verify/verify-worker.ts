import { createPublicKey, verify } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import { pae } from '@deed/evidence';
import { readEntries } from '@deed/ledger';
import { openReadOnly } from '@deed/store';

const { folder, count } = workerData as { readonly folder: string; readonly count: number };
const database = openReadOnly(folder);
const entries = readEntries(database, 0, count).map(({ envelope, spki }) => ({
  message: pae(envelope.payload),
  signature: envelope.signature,
  spki,
}));
database.close();
const key = createPublicKey({ key: Buffer.from(entries[0]?.spki ?? []), format: 'der', type: 'spki' });
const start = performance.now();
const seconds = 4;
let verified = 0;
while (performance.now() - start < seconds * 1000) {
  for (let i = 0; i < 256; i++, verified++) {
    const { message, signature } = entries[verified % entries.length] as (typeof entries)[number];
    if (!verify('sha256', message, key, signature)) throw new Error(`entry ${verified} does not verify`);
  }
}
parentPort?.postMessage((verified * 1000) / (performance.now() - start));
