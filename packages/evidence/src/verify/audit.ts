import { type Envelope, keyId, statementDigest } from '../dsse.ts';
import { equalBytes, fromBase64, fromUtf8, toHex } from '../encoding.ts';
import { DeedError, EvidenceError } from '../errors.ts';
import { encodeLeaf } from '../log/leaf.ts';
import { leafHash, memoryTree, rootOf } from '../log/merkle.ts';
import type { Trust } from '../log/trust.ts';
import { parseStatement } from '../statement.ts';
import { Examination, type Logged, label } from './examination.ts';
import { checkKeys } from './keys.ts';
import { type Reason, type Verdict, verdictCodes, verdictOrder } from './report.ts';
import { checkLinks } from './series.ts';
import { checkSignatures } from './signatures.ts';
import { misfitOf } from './subjects.ts';

export interface AuditInput {
  /** The published checkpoint, whole. */
  readonly note: string;
  /** The entries of the log in their order: as many as the checkpoint covers. */
  readonly leaves: Iterable<Uint8Array>;
  /** The statements to open them with, from wherever; the same one may come twice, from two cases. */
  readonly envelopes: Iterable<{ readonly envelope: Envelope; readonly from: string }>;
  readonly trust: Trust;
  /** The statements are said to be all: what they do not open is a statement kept back. */
  readonly whole: boolean;
}

export interface AuditReport {
  readonly verdict: Verdict;
  readonly code: number;
  readonly origin: string;
  /** Entries that the checkpoint covers, and how many of them a statement opened to its one place. */
  readonly entries: number;
  readonly opened: number;
  readonly series: number;
  readonly witnesses: readonly string[];
  /** Log indexes that no given statement opens, as ranges `first-last`. */
  readonly unopened: readonly string[];
  readonly reasons: readonly Reason[];
}

interface Leaf {
  readonly index: number;
  readonly signature: Uint8Array;
  readonly spki: Uint8Array;
}

/**
 * Audits a log from outside: the checkpoint is judged by the trust file, the entries give its root, and each entry is opened
 * by a statement to exactly one place in one series, signed by a key with the role for it there. Leaves that nobody opens are
 * named: that is where a second chain would hide.
 */
export function auditLog(input: AuditInput): AuditReport {
  const exam = new Examination({ trust: input.trust });
  const leaves = readTree(exam, input);
  const used = new Set<number>();
  const found = openLeaves(exam, input, leaves, used);
  exam.lay(found);
  exam.check = 'keys';
  checkKeys(exam);
  checkRoot(exam, input.trust);
  exam.check = 'signatures';
  checkSignatures(exam);
  exam.check = 'series';
  for (const [name, entries] of exam.series) {
    checkLinks(
      exam,
      name,
      entries.toSorted((a, b) => a.statement.position.n - b.statement.position.n),
    );
  }
  exam.check = 'leaves';
  const unopened = ranges(leaves.count, used);
  if (unopened.length > 0) {
    const what = `no given statement opens log index ${unopened.slice(0, 20).join(', ')}${unopened.length > 20 ? ', …' : ''}`;
    if (input.whole) exam.forged(`${what}, though these are said to be all statements`);
    else exam.incomplete(what);
  }
  const verdict = verdictOrder.find((one) => exam.reasons.some((reason) => reason.verdict === one)) ?? 'VERIFIED';
  const judged = exam.attempt('the checkpoint', () => exam.judge(input.note));
  return {
    ...{ verdict, code: verdictCodes[verdict], origin: judged?.checkpoint.origin ?? '', entries: leaves.count },
    ...{ opened: used.size, series: exam.series.size, witnesses: judged?.witnesses.map(({ name }) => name) ?? [] },
    ...{ unopened, reasons: exam.reasons },
  };
}

/** The leaves by the statement's digest, after the tree was compared with the checkpoint. */
function readTree(exam: Examination, { note, leaves: entries }: AuditInput) {
  exam.check = 'checkpoint';
  const byDigest = new Map<string, Leaf[]>();
  const hashes: Uint8Array[] = [];
  for (const bytes of entries) {
    const index = hashes.length;
    hashes.push(leafHash(bytes));
    exam.attempt(`log index ${index}`, () => {
      const { digest, signature, spki } = readLeaf(bytes);
      const key = toHex(digest);
      const others = byDigest.get(key);
      if (others) others.push({ index, signature, spki });
      else byDigest.set(key, [{ index, signature, spki }]);
    });
  }
  exam.attempt('the checkpoint', () => {
    const judged = exam.judge(note);
    if (!judged) return;
    const { checkpoint, badSignatures, missingLogKeys, logKeysOk, quorumMet } = judged;
    if (badSignatures.length > 0) exam.forged(`the checkpoint: bad signature by ${badSignatures.join()}`);
    else if (!logKeysOk)
      exam.forged(`the checkpoint is not signed by ${missingLogKeys.join() || 'any log of the trust file'}`);
    if (!quorumMet || judged.witnessedTime === undefined) exam.unanchored('the checkpoint has no witness quorum');
    if (checkpoint.size !== hashes.length) {
      exam.forged(`the checkpoint covers ${checkpoint.size} entries, ${hashes.length} were published`);
    } else if (!equalBytes(rootOf(memoryTree(hashes), checkpoint.size), checkpoint.root)) {
      exam.forged('the entries give another root than the checkpoint');
    }
  });
  for (const [, same] of byDigest) {
    if (same.length > 1)
      exam.forged(`one statement stands at log index ${same.map(({ index }) => index).join(' and ')}`);
  }
  return { count: hashes.length, byDigest };
}

const leafForm =
  /^\{"apiVersion":"0\.0\.2","kind":"hashedrekord","spec":\{"hashedRekordV002":\{"data":\{"algorithm":"SHA2_256","digest":"([A-Za-z0-9+/=]+)"\},"signature":\{"content":"([A-Za-z0-9+/=]+)","verifier":\{"keyDetails":"PKIX_ECDSA_P256_SHA_256","publicKey":\{"rawBytes":"([A-Za-z0-9+/=]+)"\}\}\}\}\}\}$/;

/** @throws EvidenceError encoding (not a leaf in its one form) */
function readLeaf(bytes: Uint8Array) {
  const [, digest = '', signature = '', spki = ''] = leafForm.exec(fromUtf8(bytes)) ?? [];
  const parts = { digest: fromBase64(digest), signature: fromBase64(signature), spki: fromBase64(spki) };
  if (!equalBytes(encodeLeaf(parts), bytes)) throw new EvidenceError('encoding', 'the leaf is not in its one form');
  return parts;
}

function openLeaves(
  exam: Examination,
  { envelopes, note }: AuditInput,
  { byDigest }: ReturnType<typeof readTree>,
  used: Set<number>,
): readonly Logged[] {
  exam.check = 'statements';
  const origin = exam.attempt('the checkpoint', () => exam.judge(note)?.checkpoint.origin);
  const found: Logged[] = [];
  for (const { envelope, from } of envelopes) {
    const digest = toHex(statementDigest(envelope.payload));
    const leaf = byDigest
      .get(digest)
      ?.find(({ signature, spki }) => equalBytes(signature, envelope.signature) && keyId(spki) === envelope.keyid);
    if (!leaf) {
      exam.forged(`${from}: statement ${digest} is not in the log`);
      continue;
    }
    if (used.has(leaf.index)) continue; // the same statement from a second place
    used.add(leaf.index);
    const { index } = leaf;
    try {
      const logged = { index, envelope, statement: parseStatement(envelope.payload) };
      const { statement } = logged;
      if (statement.origin !== origin) exam.forged(`${label(logged)}: another origin`);
      const misfit = misfitOf(statement);
      if (misfit) exam.forged(`${label(logged)}: ${misfit}`);
      exam.byDigest.set(digest, logged);
      const series = exam.series.get(statement.series);
      if (series) series.push(logged);
      else exam.series.set(statement.series, [logged]);
      found.push(logged);
    } catch (error) {
      if (!(error instanceof DeedError)) throw error;
      exam.forged(`log index ${index}: ${error.message}`);
    }
  }
  return found.sort((a, b) => a.index - b.index);
}

function checkRoot(exam: Examination, trust: Trust): void {
  const root = [...exam.keys].find(([, { role }]) => role === 'root')?.[0];
  if (trust.root === undefined) exam.unanchored('the trust file names no root');
  else if (root !== undefined && root !== trust.root)
    exam.forged('the keys come from another root than the trust file names');
}

function ranges(count: number, used: ReadonlySet<number>): string[] {
  const found: string[] = [];
  for (let index = 0; index < count; index++) {
    if (used.has(index)) continue;
    const first = index;
    while (index + 1 < count && !used.has(index + 1)) index++;
    found.push(first === index ? String(first) : `${first}-${index}`);
  }
  return found;
}
