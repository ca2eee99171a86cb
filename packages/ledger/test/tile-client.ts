import {
  type Checkpoint,
  equalBytes,
  leafHash,
  type NoteKey,
  noteVerifier,
  parseCheckpoint,
  parseNote,
  rootFromLeaves,
  verifyNote,
} from '@deed/evidence';
import { tilePath, tileWidth } from '../src/index.ts';

export interface Walked {
  readonly checkpoint: Checkpoint;
  readonly entries: readonly Uint8Array[];
  /** Paths that were fetched. */
  readonly paths: readonly string[];
}

/**
 * Reads a whole log as C2SP tlog-tiles tells a client to, by a URL prefix and keys alone: checkpoint, each tile of each level that
 * its size implies, each bundle; every hash is recomputed from the level below.
 */
export async function walkLog(prefix: string, keys: readonly NoteKey[]): Promise<Walked> {
  const paths: string[] = [];
  const get = async (path: string) => {
    paths.push(path);
    const response = await fetch(`${prefix}/${path}`);
    if (response.status !== 200) throw new Error(`${path}: ${response.status}`);
    return new Uint8Array(await response.arrayBuffer());
  };
  const note = parseNote(await get('checkpoint'));
  if (verifyNote(note, keys.map(noteVerifier)).length < keys.length)
    throw new Error('a signature of the log is missing');
  const checkpoint = parseCheckpoint(note.text);

  const entries: Uint8Array[] = [];
  for (const { index, width } of tilesOf(checkpoint.size)) {
    entries.push(...unbundle(await get(tilePath({ level: 'entries', index, width }))));
  }
  let below = entries.map((entry) => leafHash(entry));
  for (let level = 0; below.length > 0; level++) {
    const hashes: Uint8Array[] = [];
    for (const { index, width } of tilesOf(below.length)) {
      const tile = await get(tilePath({ level, index, width }));
      if (tile.length !== width * 32) throw new Error(`tile ${index} of level ${level} has ${tile.length} bytes`);
      for (let at = 0; at < tile.length; at += 32) hashes.push(tile.subarray(at, at + 32));
    }
    if (!hashes.every((hash, i) => equalBytes(hash, below[i] ?? new Uint8Array())))
      throw new Error(`level ${level} differs`);
    const full = Math.floor(below.length / tileWidth);
    below = Array.from({ length: full }, (_, i) => rootFromLeaves(hashes.slice(i * tileWidth, (i + 1) * tileWidth)));
  }
  const root = rootFromLeaves(entries.map((entry) => leafHash(entry)));
  if (!equalBytes(root, checkpoint.root)) throw new Error('the tree has another root than the checkpoint');
  return { checkpoint, entries, paths };
}

function tilesOf(count: number): readonly { readonly index: number; readonly width: number }[] {
  return Array.from({ length: Math.ceil(count / tileWidth) }, (_, index) => ({
    index,
    width: Math.min(tileWidth, count - index * tileWidth),
  }));
}

function unbundle(bundle: Uint8Array): readonly Uint8Array[] {
  const entries: Uint8Array[] = [];
  for (let at = 0; at < bundle.length; ) {
    const size = ((bundle[at] ?? 0) << 8) | (bundle[at + 1] ?? 0);
    entries.push(bundle.subarray(at + 2, at + 2 + size));
    at += 2 + size;
  }
  return entries;
}
