import { type Checkpoint, leafHash, parseCheckpoint, parseNote } from '@deed/evidence';
import { tilePath, tileWidth } from '@deed/ledger';

/** A log as a stranger reads it over HTTP: the checkpoint, and every entry and hash below it. */
export interface ServedLog {
  readonly note: string;
  readonly checkpoint: Checkpoint;
  /** Hashed here, from the entry bundles. */
  readonly leafHashes: readonly Uint8Array[];
  /** As the level 0 tiles have them. */
  readonly tileHashes: readonly Uint8Array[];
}

/** @param base the URL of the log with its final slash */
export async function readServedLog(base: string): Promise<ServedLog> {
  const note = Buffer.from(await get(new URL('checkpoint', base))).toString();
  const checkpoint = parseCheckpoint(parseNote(note).text);
  const leafHashes: Uint8Array[] = [];
  const tileHashes: Uint8Array[] = [];
  for (let start = 0; start < checkpoint.size; start += tileWidth) {
    const place = { index: start / tileWidth, width: Math.min(tileWidth, checkpoint.size - start) };
    const bundle = await get(new URL(tilePath({ level: 'entries', ...place }), base));
    leafHashes.push(...entriesOf(bundle).map(leafHash));
    const tile = await get(new URL(tilePath({ level: 0, ...place }), base));
    for (let at = 0; at < tile.length; at += 32) tileHashes.push(tile.subarray(at, at + 32));
  }
  return { note, checkpoint, leafHashes, tileHashes };
}

async function get(url: URL): Promise<Uint8Array> {
  const response = await fetch(url);
  if (response.status !== 200) throw new Error(`${url.pathname}: ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

/** The entries of a bundle, each behind its length in two bytes (C2SP tlog-tiles). */
function entriesOf(bundle: Uint8Array): readonly Uint8Array[] {
  const view = new DataView(bundle.buffer, bundle.byteOffset, bundle.length);
  const entries: Uint8Array[] = [];
  for (let at = 0; at < bundle.length; ) {
    const end = at + 2 + view.getUint16(at);
    entries.push(bundle.subarray(at + 2, end));
    at = end;
  }
  return entries;
}
