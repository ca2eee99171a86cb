import {
  type Checkpoint,
  formatCheckpoint,
  formatNote,
  type NoteKey,
  type NoteSignature,
  parseCheckpoint,
  parseNote,
} from '@deed/evidence';
import { LedgerError } from './errors.ts';
import { type KnownLogKey, signersOf } from './log-key-spans.ts';
import type { LogKeys } from './log-keys.ts';

/** A checkpoint of the log with the signatures that it has so far. */
export interface Signing {
  readonly checkpoint: Checkpoint;
  /** The signed text. */
  readonly text: string;
  readonly ours: readonly NoteSignature[];
  /** By the witnesses' names. */
  readonly cosignatures: Map<string, NoteSignature>;
}

/** Signs with each of the log's keys whose span the size lies in. @throws LedgerError key (one of them is not here) */
export function beginSigning(
  logKeys: LogKeys,
  knownKeys: readonly KnownLogKey[],
  checkpoint: Checkpoint,
  nowMs: number,
): Signing {
  const text = formatCheckpoint(checkpoint);
  const wanted = signersOf(knownKeys, checkpoint.size);
  const signers = logKeys.signers.filter(({ key }) => wanted.some((one) => one.key.id === key.id));
  if (signers.length < wanted.length || signers.length === 0) {
    throw new LedgerError('key', `a key that must sign the checkpoint of size ${checkpoint.size} is not here`);
  }
  const ours = signers.map((signer) => signer.sign(text, Math.floor(nowMs / 1000)));
  return { checkpoint, text, ours, cosignatures: new Map() };
}

/** Takes up a note of ours, with the cosignatures of those witnesses that are known now. */
export function resumeSigning(
  noteText: string,
  knownKeys: readonly KnownLogKey[],
  witnesses: readonly { readonly name: string; readonly key: NoteKey }[],
): Signing {
  const { text, signatures } = parseNote(noteText);
  const lineOf = (key: NoteKey) => signatures.find((line) => line.name === key.name && line.id === key.id);
  const cosignatures = new Map<string, NoteSignature>();
  for (const { name, key } of witnesses) {
    const line = lineOf(key);
    if (line) cosignatures.set(name, line);
  }
  const ours = knownKeys.flatMap(({ key }) => lineOf(key) ?? []);
  return { checkpoint: parseCheckpoint(text), text, ours, cosignatures };
}

export function noteOf({ text, ours, cosignatures }: Signing): string {
  return formatNote({ text, signatures: [...ours, ...cosignatures.values()] });
}
