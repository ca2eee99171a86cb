import { holdsFor } from '../role-keys.ts';
import { type Checkpoint, parseCheckpoint } from './checkpoint.ts';
import { signatureTimestamp, verifyNoteSignature } from './cosignature.ts';
import { type NoteKey, parseNote } from './note.ts';
import { meetsQuorum, type Trust } from './trust.ts';

export interface WitnessSeen {
  /** Its name in the trust file. */
  readonly name: string;
  /** When it signed, POSIX seconds, by its own clock. */
  readonly timestamp: number;
}

/** What a trust file says about one signed checkpoint. It reports, and leaves the verdict to the caller. */
export interface CheckpointJudgement {
  readonly checkpoint: Checkpoint;
  /** Every `log` key that holds for this size has signed, all under the checkpoint's origin, and there is at least one. */
  readonly logKeysOk: boolean;
  /** Vkey names and IDs (`name+id`) of the `log` keys without a valid signature. */
  readonly missingLogKeys: readonly string[];
  /** Known keys (`name+id`) whose line does not verify: the note as a whole is refused, so nothing above is ok then. */
  readonly badSignatures: readonly string[];
  /** Witnesses with a valid cosignature, earliest first. */
  readonly witnesses: readonly WitnessSeen[];
  /** The quorum rule holds. True for `quorum none` with no witness at all. */
  readonly quorumMet: boolean;
  /** The first moment at which a quorum had signed, POSIX seconds; absent without a quorum of at least one. */
  readonly witnessedTime?: number;
}

/** Checks the signatures of a checkpoint against a trust file. @throws EvidenceError note, encoding, limit */
export function judgeCheckpoint(noteText: string, trust: Trust): CheckpointJudgement {
  const note = parseNote(noteText);
  const checkpoint = parseCheckpoint(note.text);
  const badSignatures = new Set<string>();

  /** All valid signatures of one key; a failing line with its name and ID is noted as bad. */
  const valid = (key: NoteKey): Uint8Array[] => {
    const lines = note.signatures.filter((line) => line.name === key.name && line.id === key.id);
    const good = lines.filter((line) => verifyNoteSignature(key, note.text, line.signature));
    if (good.length < lines.length) badSignatures.add(label(key));
    return good.map((line) => line.signature);
  };

  const logs = trust.logs.filter(({ span }) => !span || holdsFor(span, checkpoint.size));
  const missingLogKeys = logs
    .filter(({ key }) => valid(key).length === 0 || key.name !== checkpoint.origin)
    .map(({ key }) => label(key));
  const witnesses = trust.witnesses
    .flatMap(({ name, key }) => {
      const times = valid(key).map((signature) => signatureTimestamp(key, signature) ?? 0);
      // A time of 0 makes no statement about the log's newest head (tlog-cosignature), so it does not count.
      const stated = times.filter((time) => time > 0);
      return stated.length === 0 ? [] : [{ name, timestamp: Math.min(...stated) }];
    })
    .sort((a, b) => a.timestamp - b.timestamp);

  const refused = badSignatures.size > 0;
  const quorumMet = !refused && meetsQuorum(trust, new Set(witnesses.map((witness) => witness.name)));
  const witnessedTime = quorumMet && trust.quorum !== 'none' ? quorumTime(trust, witnesses) : undefined;
  return {
    checkpoint,
    logKeysOk: !refused && missingLogKeys.length === 0 && logs.length > 0,
    missingLogKeys,
    badSignatures: [...badSignatures],
    witnesses,
    quorumMet,
    ...(witnessedTime === undefined ? {} : { witnessedTime }),
  };
}

function quorumTime(trust: Trust, witnesses: readonly WitnessSeen[]): number | undefined {
  const signed = new Set<string>();
  for (const witness of witnesses) {
    signed.add(witness.name);
    if (meetsQuorum(trust, signed)) return witness.timestamp;
  }
  return undefined;
}

function label(key: NoteKey): string {
  return `${key.name}+${key.id}`;
}
