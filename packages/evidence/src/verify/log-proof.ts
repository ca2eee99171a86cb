import { decodeEnvelope, statementDigest, verifyEnvelope } from '../dsse.ts';
import { equalBytes, fromUtf8 } from '../encoding.ts';
import { decodeLeaf } from '../log/leaf.ts';
import { leafHash } from '../log/merkle.ts';
import { parseTlogProof, type TlogProof, verifyTlogProof } from '../log/tlog-proof.ts';
import { parseTrust, type Trust } from '../log/trust.ts';
import { parseStatement } from '../statement.ts';
import { headOf, verdictOf, witnessesOf, witnessLimits } from './answers.ts';
import { runChecks } from './checking.ts';
import { Examination, need } from './examination.ts';
import { type Report, verdictCodes } from './report.ts';
import { checkFreshness, checkNote } from './trust.ts';

/** What a tlog-proof shows, as far as it holds. */
export interface LogProofReport
  extends Pick<Report, 'verdict' | 'code' | 'reasons' | 'checks' | 'checkpoint' | 'witnesses' | 'limits'> {
  /** The entry's place in the log. */
  readonly index: number | null;
  /** The statement whose leaf it is: predicate, series and digest; null if none was given or it is not that one. */
  readonly statement: { readonly predicate: string; readonly series: string; readonly digest: string } | null;
}

export interface LogProofOptions {
  /** The trust file's text or what {@link parseTrust} made of it; without it nothing is better than UNANCHORED. */
  readonly trust?: Trust | string | undefined;
  readonly nowMs?: number;
  /** The log's entry. Without it nothing is shown to be in the log. */
  readonly leaf?: Uint8Array | undefined;
  /** The envelope of the statement that the leaf should be of. */
  readonly statement?: Uint8Array | undefined;
}

interface Seen {
  proof: TlogProof | null;
  statement: LogProofReport['statement'];
}

/**
 * Verifies a tlog-proof file, offline: the leaf is in the tree of a checkpoint that the log of the trust file signed and its
 * witnesses saw.
 * @param file the bytes of the file; untrusted, as leaf and statement are
 * @returns the verdict with every reason; it does not throw on bad files
 * @throws EvidenceError trust, if the trust file itself cannot be read
 */
export function verifyLogProof(file: Uint8Array, options: LogProofOptions = {}): LogProofReport {
  const trust = typeof options.trust === 'string' ? parseTrust(options.trust) : options.trust;
  const exam = new Examination({ trust, nowMs: options.nowMs ?? Date.now() });
  const { leaf, statement } = options;
  const seen: Seen = { proof: null, statement: null };
  const checks = runChecks(exam, [
    ['form', () => checkForm(exam, file, seen)],
    ['leaf', () => checkLeaf(exam, leaf, seen)],
    ...(statement ? [['statement', () => checkStatement(exam, leaf, statement, seen)] as const] : []),
    ['trust', () => checkHead(exam)],
  ]);
  const verdict = verdictOf(exam);
  return {
    verdict,
    code: verdictCodes[verdict],
    reasons: exam.reasons,
    checks,
    index: seen.proof?.index ?? null,
    statement: seen.statement,
    checkpoint: headOf(exam),
    witnesses: witnessesOf(exam),
    limits: verdict === 'unusable' ? [] : limitsOf(exam, seen.statement !== null),
  };
}

function checkForm(exam: Examination, file: Uint8Array, seen: Seen): string | null {
  const read = () => parseTlogProof(fromUtf8(file), { refuseExtra: true });
  const proof = exam.attempt('not a tlog-proof', read, 'unusable');
  if (!proof) return null;
  seen.proof = proof;
  exam.exportedProof = proof;
  return `entry ${proof.index}`;
}

function checkLeaf(exam: Examination, leaf: Uint8Array | undefined, { proof }: Seen): string | null {
  if (!proof) return null;
  if (!leaf) {
    exam.incomplete('no leaf was given: nothing is shown to be in the log');
    return 'none given';
  }
  verifyTlogProof(proof, leafHash(leaf));
  return `${leaf.length} bytes`;
}

/** The statement is the one of which the leaf has the digest, signed by the key that the leaf has. @throws EvidenceError */
function checkStatement(exam: Examination, leaf: Uint8Array | undefined, bytes: Uint8Array, seen: Seen): string {
  if (!leaf) {
    exam.incomplete('no leaf was given: nothing ties the statement to the log');
    return 'not compared';
  }
  const { digest, signature, spki } = decodeLeaf(leaf);
  const envelope = decodeEnvelope(bytes);
  need(equalBytes(statementDigest(envelope.payload), digest), 'the leaf is of another statement');
  need(equalBytes(envelope.signature, signature), 'the leaf has another signature');
  need(verifyEnvelope(envelope, spki), "the signature fails under the leaf's key");
  const { predicate, series, digest: name } = parseStatement(envelope.payload);
  seen.statement = { predicate, series, digest: name };
  return `${predicate} of ${series}`;
}

function checkHead(exam: Examination): string {
  const { trust } = exam.options;
  if (!trust || !exam.exportedProof) {
    exam.unanchored('no trust file: nobody vouches for the log or the witnesses');
    return 'none given';
  }
  checkNote(exam, exam.exportedProof.checkpoint);
  checkFreshness(exam, exam.exportedProof.checkpoint);
  return `quorum ${trust.quorum}`;
}

function limitsOf(exam: Examination, hasStatement: boolean): string[] {
  return [
    'A proof shows that an entry is in the log, not that the key that signed it might do so: a receipt or a case shows that.',
    ...(hasStatement ? [] : ['Of which statement the entry is was not looked at (--statement).']),
    ...witnessLimits(exam),
  ];
}
