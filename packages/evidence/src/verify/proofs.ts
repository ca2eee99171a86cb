import { members } from '../case/members.ts';
import { statementDigest } from '../dsse.ts';
import { fromUtf8 } from '../encoding.ts';
import { EvidenceError } from '../errors.ts';
import type { Checkpoint } from '../log/checkpoint.ts';
import { judgeCheckpoint } from '../log/judge-checkpoint.ts';
import { encodeLeaf } from '../log/leaf.ts';
import { leafHash } from '../log/merkle.ts';
import { parseTlogProof, type TlogProof, verifyTlogProof } from '../log/tlog-proof.ts';
import { type Examination, type Logged, label } from './examination.ts';
import { logKeysOf } from './log-keys.ts';

/** Each statement's leaf is in the tree of a checkpoint that the log's own keys signed. */
export function checkProofs(exam: Examination): string | null {
  const { exported, exportedProof } = exam;
  if (!exported || !exportedProof) return null;
  const logSigned = signedByLog(exam);
  for (const logged of exam.statements) {
    if (logged === exported) continue;
    const bytes = exam.members.get(members.proof(logged.index));
    if (!bytes) exam.incomplete(`${label(logged)}: its proof is not here`);
    else exam.attempt(label(logged), () => checkOne(exam, logged, readProof(bytes), logSigned));
  }
  exam.attempt('the export', () => {
    const checkpoint = provenCheckpoint(exam, exported, exportedProof, logSigned);
    if (checkpoint.size < exported.statement.body.size)
      throw new EvidenceError('proof', 'its tree is smaller than the one it states');
  });
  return `${exam.statements.length} leaves under the log's signatures`;
}

/** @throws EvidenceError proof, note, encoding, limit */
export function readProof(bytes: Uint8Array): TlogProof {
  return parseTlogProof(fromUtf8(bytes), { refuseExtra: true });
}

function checkOne(exam: Examination, logged: Logged, proof: TlogProof, logSigned: (note: string) => void): void {
  if (proof.index !== logged.index) throw new EvidenceError('proof', `its proof is for log index ${proof.index}`);
  exam.note ??= proof.checkpoint;
  if (proof.checkpoint !== exam.note)
    throw new EvidenceError('proof', 'its proof stands under another checkpoint than the others');
  const checkpoint = provenCheckpoint(exam, logged, proof, logSigned);
  if (checkpoint.size !== exam.exported?.statement.body.size)
    throw new EvidenceError('proof', 'the tree has another size than the export states');
}

/** The checkpoint under which this proof shows the statement, with the log's signatures checked. @throws EvidenceError */
export function provenCheckpoint(
  exam: Examination,
  logged: Logged,
  proof: TlogProof,
  logSigned: (note: string) => void = signedByLog(exam),
): Checkpoint {
  const { envelope, statement } = logged;
  const spki = exam.keys.get(envelope.keyid)?.spki;
  if (!spki) throw new EvidenceError('proof', 'its signer is not known');
  const leaf = encodeLeaf({ digest: statementDigest(envelope.payload), signature: envelope.signature, spki });
  const checkpoint = verifyTlogProof(proof, leafHash(leaf));
  if (checkpoint.origin !== statement.origin) throw new EvidenceError('proof', 'the checkpoint has another origin');
  logSigned(proof.checkpoint);
  return checkpoint;
}

/** A check, remembered by note, that every log key of the key-events signed a checkpoint within its span. */
function signedByLog(exam: Examination): (note: string) => void {
  const keys = logKeysOf(exam.keys.values());
  const good = new Set<string>();
  return (note) => {
    if (good.has(note)) return;
    const { logKeysOk, missingLogKeys } = judgeCheckpoint(note, {
      logs: keys,
      witnesses: [],
      groups: [],
      quorum: 'none',
      tsas: [],
      compromised: [],
    });
    if (!logKeysOk)
      throw new EvidenceError('note', `the checkpoint is not signed by the log's keys (${missingLogKeys.join(', ')})`);
    good.add(note);
  };
}
