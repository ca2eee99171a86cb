import { z } from 'zod';
import { payloadType } from './dsse.ts';
import { equalBytes, fromUtf8, toBase64, utf8 } from './encoding.ts';
import { EvidenceError } from './errors.ts';
import { idPattern } from './ids.ts';
import { parseStrictJson } from './json.ts';
import { parseTreeHash } from './log/checkpoint.ts';
import { maxProofHashes } from './log/merkle.ts';
import { count } from './predicates.ts';

/** A statement with its place in the log and the path from there to the checkpoint's root. */
export interface ReceiptEntry {
  readonly index: number;
  /** Leaf sibling first. */
  readonly proof: readonly Uint8Array[];
  /** The DSSE envelope in its one byte form. */
  readonly envelope: Uint8Array;
}

/** The receipt of a whole task: one file that a customer can keep (docs/formats/receipt.md). */
export interface TaskReceipt {
  readonly task: string;
  /** The task-closed statement. */
  readonly closed: ReceiptEntry;
  /** The series `keys`, from the root on. */
  readonly keys: readonly ReceiptEntry[];
  /** The signed checkpoint, verbatim, under which all of them stand. */
  readonly checkpoint: string;
}

const maxReceiptBytes = 8 * 1024 * 1024;
const maxKeyEvents = 1000;

const hash = z.string().refine((text) => parseTreeHash(text) !== undefined, '32 bytes in canonical base64');
const entry = z.strictObject({
  index: count,
  proof: z.array(hash).max(maxProofHashes),
  envelope: z.strictObject({
    payload: z.string(),
    payloadType: z.literal(payloadType),
    signatures: z.array(z.strictObject({ keyid: z.string(), sig: z.string() })).length(1),
  }),
});
const schema = z.strictObject({
  v: z.literal(1),
  format: z.literal('deed-receipt'),
  task: z.string().regex(idPattern('task')),
  closed: entry,
  keys: z.array(entry).min(1).max(maxKeyEvents),
  checkpoint: z.string().min(1),
});

/** The one accepted byte form: no spaces, this key order. */
export function encodeReceipt({ task, closed, keys, checkpoint }: TaskReceipt): Uint8Array {
  return utf8(
    JSON.stringify({ v: 1, format: 'deed-receipt', task, closed: toJson(closed), keys: keys.map(toJson), checkpoint }),
  );
}

/**
 * Reads the one byte form and nothing else. Envelopes, statements and the checkpoint are left as they are, for the verifier.
 * @throws EvidenceError case, json, encoding, limit
 */
export function parseReceipt(bytes: Uint8Array): TaskReceipt {
  if (bytes.length > maxReceiptBytes)
    throw new EvidenceError('limit', `a receipt has at most ${maxReceiptBytes} bytes`);
  const parsed = schema.safeParse(parseStrictJson(bytes).value);
  if (!parsed.success) throw new EvidenceError('case', `not a receipt: ${z.prettifyError(parsed.error)}`);
  const { task, closed, keys, checkpoint } = parsed.data;
  const receipt = { task, closed: fromJson(closed), keys: keys.map(fromJson), checkpoint };
  if (!equalBytes(encodeReceipt(receipt), bytes))
    throw new EvidenceError('case', 'not in the one byte form of a receipt');
  return receipt;
}

function toJson({ index, proof, envelope }: ReceiptEntry) {
  return { index, proof: proof.map(toBase64), envelope: JSON.parse(fromUtf8(envelope)) as unknown };
}

function fromJson({ index, proof, envelope }: z.infer<typeof entry>): ReceiptEntry {
  return {
    index,
    proof: proof.flatMap((text) => parseTreeHash(text) ?? []),
    envelope: utf8(JSON.stringify(envelope)),
  };
}
