import { decodeEnvelope } from '../dsse.ts';
import { toHex } from '../encoding.ts';
import { parseTrust, type Trust } from '../log/trust.ts';
import { sha256 } from '../platform.ts';
import { parseReceipt, type ReceiptEntry, type TaskReceipt } from '../receipt.ts';
import { parseStatement, type StatementWith } from '../statement.ts';
import { debtText, headOf, outputsText, verdictOf, witnessesOf, witnessLimits } from './answers.ts';
import { type Check, runChecks } from './checking.ts';
import { Examination, type Logged, label, need } from './examination.ts';
import { checkKeys } from './keys.ts';
import { provenCheckpoint } from './proofs.ts';
import { type Report, verdictCodes } from './report.ts';
import { checkLinks } from './series.ts';
import { checkSignatures } from './signatures.ts';
import { misfitOf } from './subjects.ts';
import { checkTrust } from './trust.ts';

/** What a task receipt says, as far as it holds. */
export interface ReceiptReport
  extends Pick<Report, 'verdict' | 'code' | 'reasons' | 'checks' | 'checkpoint' | 'root' | 'witnesses' | 'limits'> {
  readonly receipt: {
    readonly task: string;
    readonly origin: string;
    /** When, as the log's operator states it, and on whose word. */
    readonly closed: string;
    /** Log index of task-closed. */
    readonly index: number;
    /** Statements of the task up to its closing, this one included. */
    readonly statements: number;
    /** Intents that had no outcome yet. */
    readonly open: number;
    /** What it delivered: name, and digests. */
    readonly outputs: readonly string[];
    /** Static secrets that it was handed, in words. */
    readonly debts: readonly string[];
  } | null;
  /** The delivered file that was compared: its digest, and the names of the outputs that have it. */
  readonly artifact: { readonly sha256: string; readonly outputs: readonly string[] } | null;
}

export interface ReceiptOptions {
  /** The trust file's text or what {@link parseTrust} made of it; without it nothing is better than UNANCHORED. */
  readonly trust?: Trust | string | undefined;
  readonly nowMs?: number;
  /** SHA-256 of a delivered file that should be among the outputs. */
  readonly artifact?: Uint8Array | undefined;
}

type Closed = Logged<StatementWith<'task-closed'>>;

/**
 * Verifies a task receipt, offline (docs/formats/receipt.md).
 * @param file the bytes of the receipt; untrusted
 * @returns the verdict with every reason; it does not throw on bad receipts
 * @throws EvidenceError trust, if the trust file itself cannot be read
 */
export function verifyReceipt(file: Uint8Array, options: ReceiptOptions = {}): ReceiptReport {
  const trust = typeof options.trust === 'string' ? parseTrust(options.trust) : options.trust;
  const exam = new Examination({ trust, nowMs: options.nowMs ?? Date.now() });
  const table = new Table(exam, file, options.artifact);
  const checks = runChecks(exam, [
    ['form', () => table.form()],
    ['statements', () => table.statements()],
    ['keys', checkKeys],
    ['signatures', checkSignatures],
    ['series', () => table.series()],
    ['proofs', () => table.proofs()],
    ['trust', checkTrust],
    ...(table.digest === null ? [] : ([['artifact', () => table.compare()]] as const)),
  ] satisfies (readonly [string, Check])[]);
  const verdict = verdictOf(exam);
  return {
    verdict,
    code: verdictCodes[verdict],
    reasons: exam.reasons,
    checks,
    receipt: table.told(),
    artifact: table.digest === null ? null : { sha256: table.digest, outputs: table.matching() },
    checkpoint: headOf(exam),
    root: [...exam.keys].find(([, key]) => key.role === 'root')?.[0] ?? null,
    witnesses: witnessesOf(exam),
    limits: verdict === 'unusable' ? [] : table.limits(),
  };
}

/** The receipt while it is being examined: what its own checks lay down for the ones that it shares with the case. */
class Table {
  private readonly exam: Examination;
  private readonly file: Uint8Array;
  private receipt: TaskReceipt | null = null;
  private closed: Closed | null = null;
  private keys: readonly Logged[] = [];
  /** Hex SHA-256 of the delivered file, if there is one to compare. */
  readonly digest: string | null;

  constructor(exam: Examination, file: Uint8Array, artifact: Uint8Array | undefined) {
    this.exam = exam;
    this.file = file;
    this.digest = artifact ? toHex(sha256(artifact)) : null;
  }

  form(): string | null {
    this.receipt = this.exam.attempt('not a receipt', () => parseReceipt(this.file), 'unusable') ?? null;
    return this.receipt && `receipt of ${this.receipt.task}, ${this.file.length} bytes`;
  }

  /** Each envelope and statement in form, of the kind that belongs there, of one log and of the task that the receipt names. */
  statements(): string | null {
    const { exam, receipt } = this;
    if (!receipt) return null;
    const closed = this.read('task-closed', receipt.closed);
    this.keys = receipt.keys.flatMap((entry) => this.read('key-event', entry) ?? []);
    if (closed?.statement.predicate !== 'task-closed') return null;
    this.closed = closed as Closed;
    if (closed.statement.series !== receipt.task) exam.forged(`the closing is of ${closed.statement.series}`);
    const all = [...this.keys, closed].sort((a, b) => a.index - b.index);
    for (const logged of all) {
      const { statement } = logged;
      if (statement.origin !== closed.statement.origin) exam.forged(`${label(logged)}: another origin`);
      if (exam.byDigest.has(statement.digest)) exam.forged(`${label(logged)}: the same statement twice`);
      exam.byDigest.set(statement.digest, logged);
    }
    exam.lay(all);
    return `task-closed and ${this.keys.length} key-events`;
  }

  private read(kind: 'task-closed' | 'key-event', { index, envelope }: ReceiptEntry): Logged | undefined {
    return this.exam.attempt(`log index ${index}`, () => {
      const decoded = decodeEnvelope(envelope);
      const statement = parseStatement(decoded.payload);
      need(statement.predicate === kind, `a ${statement.predicate} where a ${kind} belongs`);
      const misfit = misfitOf(statement);
      need(misfit === null, misfit ?? '');
      return { index, envelope: decoded, statement };
    });
  }

  /** The series `keys` without a gap from the root on, and a closing that counts itself as the last of its series. */
  series(): string | null {
    const { exam, closed, keys } = this;
    if (!closed) return null;
    checkLinks(
      exam,
      'keys',
      keys.toSorted((a, b) => a.statement.position.n - b.statement.position.n),
    );
    const { position, body } = closed.statement;
    if (body.count !== position.n + 1) exam.forged(`${label(closed)}: counts another number of statements`);
    return `keys 0 to ${keys.length - 1}`;
  }

  /** Each of the statements is in the tree of the one checkpoint, which the log's keys signed. */
  proofs(): string | null {
    const { exam, receipt, closed } = this;
    if (!receipt || !closed) return null;
    const { checkpoint } = receipt;
    const paths = new Map([receipt.closed, ...receipt.keys].map(({ index, proof }) => [index, proof]));
    for (const logged of exam.statements) {
      const proof = { index: logged.index, proof: paths.get(logged.index) ?? [], checkpoint };
      const proven = exam.attempt(label(logged), () => provenCheckpoint(exam, logged, proof));
      if (!proven || logged !== closed) continue;
      exam.note = checkpoint;
      exam.exportedProof = proof; // the head whose signatures and age the check `trust` judges
    }
    return `${exam.statements.length} leaves under one checkpoint`;
  }

  /** The delivered file is one of the outputs. */
  compare(): string | null {
    const { exam, closed, digest } = this;
    if (!closed) return null;
    const digests = closed.statement.body.outputs.flatMap((output) => output.digest.sha256 ?? []);
    const matching = this.matching();
    if (digests.length === 0) exam.incomplete('no output has a sha256 digest to compare the file with');
    else if (matching.length === 0) exam.forged(`no output has the file's digest, sha256 ${digest}`);
    return matching.length > 0 ? `the file is ${matching.join(', ')}` : `${digests.length} digests compared`;
  }

  matching(): string[] {
    const { closed, digest } = this;
    const outputs = closed?.statement.body.outputs ?? [];
    return outputs.filter((output) => output.digest.sha256 === digest).map(({ name }) => name);
  }

  told(): ReceiptReport['receipt'] {
    const { closed } = this;
    if (!closed || this.exam.reasons.some(({ verdict }) => verdict === 'unusable')) return null;
    const { origin, series, time, body } = closed.statement;
    return {
      task: series,
      origin,
      closed: `${time} (${body.reason})`,
      index: closed.index,
      statements: body.count,
      open: body.open.length,
      outputs: outputsText(closed.statement),
      debts: body.debts.map(debtText),
    };
  }

  limits(): string[] {
    const last = Math.max(...this.keys.map(({ index }) => index));
    const open = this.closed?.statement.body.open.length ?? 0;
    return [
      'A receipt says how its task was closed, with which outputs and how many statements. It says nothing about the actions: ask for the case.',
      'That no second closing or second log exists is not shown: compare with other receipts, or audit the whole log.',
      `The keys are those up to log index ${last}: a key that was ended or found compromised later is not known here.`,
      ...(open > 0 ? [`${open} actions had no outcome yet when the task was closed.`] : []),
      ...witnessLimits(this.exam),
    ];
  }
}
