import { fromBase64, toBase64 } from '../encoding.ts';
import { EvidenceError } from '../errors.ts';
import { type Checkpoint, parseCheckpoint, parseDecimal, parseTreeHash } from './checkpoint.ts';
import { maxProofHashes, verifyInclusion } from './merkle.ts';
import { formatNote, maxNoteBytes, parseNote } from './note.ts';

const header = 'c2sp.org/tlog-proof@v1';

/** Proof that an entry is in a log, complete in itself (C2SP tlog-proof). */
export interface TlogProof {
  readonly index: number;
  /** Leaf sibling first. */
  readonly proof: readonly Uint8Array[];
  /** The checkpoint with its signatures, verbatim. */
  readonly checkpoint: string;
  /** Not authenticated by anything. */
  readonly extra?: Uint8Array;
}

/**
 * Reads the one byte form: what {@link formatTlogProof} writes and nothing else.
 * @throws EvidenceError proof, note (the checkpoint), encoding, limit
 */
export function parseTlogProof(text: string, options: { readonly refuseExtra?: boolean } = {}): TlogProof {
  if (text.length > 2 * maxNoteBytes) throw new EvidenceError('limit', 'tlog-proof is too large');
  const gap = text.indexOf('\n\n');
  if (gap < 0) throw new EvidenceError('proof', 'tlog-proof without a checkpoint');
  const lines = text.slice(0, gap).split('\n');
  if (lines.shift() !== header) throw new EvidenceError('proof', `tlog-proof must begin with ${header}`);
  let extra: Uint8Array | undefined;
  if (lines[0]?.startsWith('extra ')) {
    if (options.refuseExtra) throw new EvidenceError('proof', 'tlog-proof with an extra line is not accepted here');
    extra = fromBase64(lines.shift()?.slice('extra '.length) ?? '');
  }
  const index = parseDecimal(/^index (.+)$/.exec(lines.shift() ?? '')?.[1] ?? '');
  if (index === undefined) throw new EvidenceError('proof', 'tlog-proof without an index');
  if (lines.length > maxProofHashes) throw new EvidenceError('limit', 'tlog-proof with too many hashes');
  const proof = lines.map((line) => {
    const hash = parseTreeHash(line);
    if (!hash) throw new EvidenceError('proof', 'tlog-proof with a line that is not a hash');
    return hash;
  });
  const checkpoint = text.slice(gap + 2);
  const note = parseNote(checkpoint);
  parseCheckpoint(note.text);
  if (formatNote(note) !== checkpoint) throw new EvidenceError('proof', 'tlog-proof with a checkpoint in another form');
  return extra ? { index, proof, checkpoint, extra } : { index, proof, checkpoint };
}

export function formatTlogProof(proof: TlogProof): string {
  const extra = proof.extra ? [`extra ${toBase64(proof.extra)}`] : [];
  const lines = [header, ...extra, `index ${proof.index}`, ...proof.proof.map(toBase64)];
  return `${lines.join('\n')}\n\n${proof.checkpoint}`;
}

/**
 * Checks that the leaf is in the tree of the proof's own checkpoint, and returns that checkpoint. Whether the checkpoint
 * is to be believed is for `judgeCheckpoint` to say.
 * @throws EvidenceError proof, note
 */
export function verifyTlogProof(proof: TlogProof, leafHash: Uint8Array): Checkpoint {
  const checkpoint = parseCheckpoint(parseNote(proof.checkpoint).text);
  const { size, root } = checkpoint;
  if (!verifyInclusion({ index: proof.index, size, leafHash, proof: proof.proof, root })) {
    throw new EvidenceError('proof', `entry ${proof.index} is not in the tree of size ${size} by this proof`);
  }
  return checkpoint;
}
