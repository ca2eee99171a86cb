import {
  type Checkpoint,
  DeedError,
  formatCheckpoint,
  formatNote,
  formatSignatureLine,
  fromUtf8,
  maxProofHashes,
  type NoteSignature,
  noteVerifier,
  parseCheckpoint,
  parseDecimal,
  parseNote,
  parseTreeHash,
  parseVkey,
  verifyConsistency,
  verifyNote,
} from '@deed/evidence';
import type { Database, Transaction } from '@deed/store';
import type { NoteSigner } from '../log-keys.ts';

export interface WitnessAnswer {
  readonly status: 200 | 400 | 403 | 404 | 405 | 409 | 413 | 422;
  readonly type: string;
  readonly body: string;
}

interface Request {
  readonly oldSize: number;
  readonly proof: readonly Uint8Array[];
  readonly checkpoint: Checkpoint;
  readonly signatures: readonly NoteSignature[];
}

interface HeadRow {
  readonly size: number;
  readonly root: Uint8Array;
  readonly seconds: number;
}

/**
 * Answers one `add-checkpoint` request (C2SP tlog-witness). The comparison with the newest cosigned checkpoint and the
 * storing of the new one are one transaction, committed before this returns, so neither a race nor a crash can roll back
 * what was signed. It signs and stores its own encoding of what it understood, with verified signatures only.
 */
export function addCheckpoint(
  database: Database,
  signers: readonly NoteSigner[],
  body: Uint8Array,
  nowSeconds: number,
): WitnessAnswer {
  const request = parseRequest(body);
  if (typeof request === 'string') return refuse(400, request);
  const { oldSize, checkpoint } = request;
  const { origin, size } = checkpoint;
  const log = database.get<{ vkeys: string }>('SELECT vkeys FROM log WHERE origin = ?', origin);
  if (!log) return refuse(404, `unknown log ${origin}`);
  const text = formatCheckpoint(checkpoint);
  const signatures = verified(text, request.signatures, log.vkeys.split('\n'));
  if (signatures.length === 0) return refuse(403, 'no valid signature of a known key of this log');
  if (oldSize > size) return refuse(400, `old size ${oldSize} is above ${size}`);
  return database.transaction((tx) => {
    const newest = tx.get<HeadRow>('SELECT size, root, seconds FROM head WHERE origin = ?', origin);
    const known = newest?.size ?? 0;
    if (oldSize !== known) return { status: 409, type: 'text/x.tlog.size', body: `${known}\n` };
    if (!continues(request, newest)) return refuse(422, 'the consistency proof does not hold');
    const seconds = Math.max(nowSeconds, newest?.seconds ?? 0);
    const cosignatures = signers.map((signer) => signer.sign(text, seconds));
    store(tx, checkpoint, seconds, formatNote({ text, signatures: [...signatures, ...cosignatures] }));
    return { status: 200, type: 'text/plain; charset=utf-8', body: cosignatures.map(formatSignatureLine).join('') };
  });
}

function store(tx: Transaction, checkpoint: Checkpoint, seconds: number, note: string): void {
  tx.run(
    `INSERT INTO head (origin, size, root, seconds, note) VALUES (?, ?, ?, ?, ?) ON CONFLICT (origin)
     DO UPDATE SET size = excluded.size, root = excluded.root, seconds = excluded.seconds, note = excluded.note`,
    checkpoint.origin,
    checkpoint.size,
    checkpoint.root,
    seconds,
    note,
  );
}

function parseRequest(body: Uint8Array): Request | string {
  try {
    const text = fromUtf8(body);
    const gap = text.indexOf('\n\n');
    const [first = '', ...lines] = text.slice(0, Math.max(0, gap)).split('\n');
    const oldSize = parseDecimal(/^old (.+)$/.exec(first)?.[1] ?? '');
    if (oldSize === undefined) return 'expected "old <size>" in the first line';
    const proof = lines.map(parseTreeHash);
    if (proof.length > maxProofHashes) return `more than ${maxProofHashes} proof lines`;
    if (!proof.every((hash) => hash !== undefined)) return 'a proof line is not the base64 of 32 bytes';
    const note = parseNote(text.slice(gap + 2));
    return { oldSize, proof, checkpoint: parseCheckpoint(note.text), signatures: note.signatures };
  } catch (error) {
    if (error instanceof DeedError) return error.message;
    throw error;
  }
}

function verified(
  text: string,
  signatures: readonly NoteSignature[],
  vkeys: readonly string[],
): readonly NoteSignature[] {
  try {
    return verifyNote({ text, signatures }, vkeys.map(parseVkey).map(noteVerifier));
  } catch (error) {
    if (error instanceof DeedError) return [];
    throw error;
  }
}

function continues(request: Request, newest: HeadRow | undefined): boolean {
  const { oldSize, proof, checkpoint } = request;
  const { size: newSize, root: newRoot } = checkpoint;
  if (newest) return verifyConsistency({ oldSize, newSize, oldRoot: newest.root, newRoot, proof });
  // Nothing was ever cosigned: any tree may be the first, but an empty one has the empty root.
  if (proof.length > 0) return false;
  return newSize > 0 || verifyConsistency({ oldSize, newSize, oldRoot: newRoot, newRoot, proof });
}

function refuse(status: 400 | 403 | 404 | 422, why: string): WitnessAnswer {
  return { status, type: 'text/plain; charset=utf-8', body: `${why}\n` };
}
