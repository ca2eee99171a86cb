import { concat, fromHex, toHex } from '../encoding.ts';
import { leafHash, rootFromLeaves } from '../log/merkle.ts';

/** The sub-tree of one credential: its events' payload names in the order of reading. */
export interface CredentialEvents {
  /** Blinded credential, hex. */
  readonly credential: string;
  readonly events: readonly string[];
}

export interface BatchLeaf {
  readonly credential: string;
  readonly root: string;
  readonly events: number;
}

/** Root of a sub-tree over event names. */
export function eventsRoot(events: readonly string[]): string {
  return toHex(rootFromLeaves(events.map((name) => leafHash(fromHex(name)))));
}

/** The batch tree's leaves, sorted by blinded credential. */
export function batchLeaves(groups: readonly CredentialEvents[]): BatchLeaf[] {
  return groups
    .map(({ credential, events }) => ({ credential, root: eventsRoot(events), events: events.length }))
    .sort((a, b) => (a.credential < b.credential ? -1 : 1));
}

/** Root over the batch's leaves (docs/formats/events.md): 32 bytes credential, 32 bytes root, 8 bytes count. */
export function batchRoot(leaves: readonly BatchLeaf[]): string {
  const hashes = leaves.map(({ credential, root, events }) => {
    const count = new DataView(new ArrayBuffer(8));
    count.setBigUint64(0, BigInt(events));
    return leafHash(concat(fromHex(credential), fromHex(root), new Uint8Array(count.buffer)));
  });
  return toHex(rootFromLeaves(hashes));
}
