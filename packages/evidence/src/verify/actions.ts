import { parseActionRecord } from '../action-record.ts';
import { members } from '../case/members.ts';
import { toHex, utf8 } from '../encoding.ts';
import { EvidenceError } from '../errors.ts';
import { sha256 } from '../platform.ts';
import { type Tier, tiers } from '../predicates.ts';
import type { StatementWith } from '../statement.ts';
import { checkApprovals, checkAuthor } from './approvals.ts';
import { type Examination, type Logged, label, need } from './examination.ts';
import { checkHookOutcome } from './hooks.ts';
import { checkConfirmed, checkPrompt } from './prompts.ts';
import { provenCheckpoint, readProof } from './proofs.ts';
import { checkToldOutcome } from './told.ts';

type Intent = Logged<StatementWith<'intent'>>;
type Outcome = Logged<StatementWith<'outcome'>>;
type Refusal = Logged<StatementWith<'refusal'>>;

/** Each action in itself: begun once, allowed, approved where it must be, ended once, anchored where it must be. */
export function checkActions(exam: Examination): string | null {
  const approvals = new Map<string, string>();
  const begun = new Set<string>();
  const refused = new Map<string, Refusal>();
  for (const refusal of exam.all('refusal').toReversed()) refused.set(refusal.statement.body.action, refusal);
  const ends = endsOf(exam);
  const counts = new Map<string, number>();
  const counted = (by: string): number => {
    const number = (counts.get(by) ?? 0) + 1;
    counts.set(by, number);
    return number;
  };
  for (const intent of exam.all('intent')) {
    const { series, body } = intent.statement;
    if (begun.has(body.action)) exam.forged(`${label(intent)}: action ${body.action} was begun before`);
    begun.add(body.action);
    if ((refused.get(body.action)?.index ?? intent.index) < intent.index)
      exam.forged(`${label(intent)}: action ${body.action} was refused before`);
    exam.attempt(label(intent), () => checkRecord(exam, intent));
    checkTool(exam, intent);
    checkLimits(exam, intent, counted(series));
    for (const accepted of body.authority.chain) checkHopLimits(exam, intent, accepted, counted(accepted));
    checkApprovals(exam, intent, approvals);
    exam.attempt(label(intent), () => checkAuthor(exam, intent));
    exam.attempt(label(intent), () => checkPrompt(exam, intent));
    checkEnd(exam, intent, ends.get(intent.statement.digest) ?? noEnds);
  }
  for (const refusal of exam.all('refusal')) {
    exam.attempt(label(refusal), () => checkRefusal(exam, refusal, approvals));
  }
  for (const confirmed of exam.all('prompt-confirmed')) {
    exam.attempt(label(confirmed), () => checkConfirmed(exam, confirmed));
  }
  checkCitations(exam);
  return `${exam.all('intent').length} intents`;
}

interface Ends {
  readonly outcomes: Outcome[];
  readonly refusals: Refusal[];
}
const noEnds: Ends = { outcomes: [], refusals: [] };

/** The outcomes and refusals of each intent, by its digest, in the order of the log. */
function endsOf(exam: Examination): Map<string, Ends> {
  const ends = new Map<string, Ends>();
  const of = (intent: string): Ends => {
    const known = ends.get(intent) ?? { outcomes: [], refusals: [] };
    ends.set(intent, known);
    return known;
  };
  for (const outcome of exam.all('outcome')) of(outcome.statement.body.intent).outcomes.push(outcome);
  for (const refusal of exam.all('refusal')) {
    const { cites } = refusal.statement.body;
    if (cites !== null && endsIntent(refusal.statement)) of(cites).refusals.push(refusal);
  }
  return ends;
}

function checkRefusal(exam: Examination, refusal: Refusal, approvals: ReadonlyMap<string, string>): void {
  const { record, action, approvals: consumed, cites } = refusal.statement.body;
  const bytes = exam.payload(record);
  if (bytes) need(parseActionRecord(bytes).action === action, 'its record is of another action');
  for (const approval of consumed) {
    const used = approvals.get(approval);
    need(used === undefined || used === cites, 'the approval that it consumed was used by an intent');
  }
}

function checkRecord(exam: Examination, intent: Intent): void {
  const { body, position, subject } = intent.statement;
  need(subject.sha256 === body.record.sha256, 'its subject is not the action digest');
  const bytes = exam.payload(body.record);
  if (!bytes) return;
  const record = parseActionRecord(bytes);
  need(
    'task' in position && record.task === position.task && record.action === body.action,
    'its record is of another action',
  );
  const { tool } = body;
  const same = record.server === tool.server && record.tool === tool.name && record.definition === tool.definition;
  need(same && record.executable === tool.executable && record.method === body.method, 'its record names another tool');
}

function checkTool(exam: Examination, intent: Intent): void {
  const { server, name, definition, executable } = intent.statement.body.tool;
  if (definition === null) {
    if (intent.statement.body.method === 'tools/call') exam.forged(`${label(intent)}: a tool without a definition`);
    return;
  }
  const pins = exam
    .all('tool-pinned')
    .filter(
      (pin) => pin.index < intent.index && pin.statement.body.server === server && pin.statement.body.tool === name,
    );
  const pin = pins.at(-1)?.statement.body;
  if (!pin) exam.incomplete(`${label(intent)}: the pinned definition of ${server}/${name} is not here`);
  else if (pin.definition !== definition || pin.executable !== executable) {
    exam.forged(`${label(intent)}: ${server}/${name} is not as it was pinned`);
  }
}

function checkLimits(exam: Examination, intent: Intent, number: number): void {
  const { position, body, observed } = intent.statement;
  if (rank(body.tier) > rank('record') && (observed === 'self-reported' || observed === 'hook'))
    exam.forged(`${label(intent)}: ${observed} and above tier record`);
  const opened = 'task' in position ? exam.series.get(position.task)?.[0]?.statement : undefined;
  if (opened?.predicate !== 'task-opened') return;
  if (rank(body.tier) > rank(opened.body.ceiling)) exam.forged(`${label(intent)}: above the ceiling of its task`);
  if (opened.body.deadline < intent.statement.time) exam.forged(`${label(intent)}: after the deadline of its task`);
  if (number > opened.body.budget.actions) exam.forged(`${label(intent)}: beyond the budget of its task`);
}

/** What a delegate does counts for each hop above it. */
function checkHopLimits(exam: Examination, intent: Intent, accepted: string, number: number): void {
  const { body, time } = intent.statement;
  const hop = exam.hops.get(accepted)?.hop.statement.body;
  if (!hop) return; // the check `authority` says so
  if (rank(body.tier) > rank(hop.ceiling)) exam.forged(`${label(intent)}: above the ceiling of its hop`);
  if (hop.deadline < time) exam.forged(`${label(intent)}: after the deadline of its hop`);
  if (number > hop.budget.actions) exam.forged(`${label(intent)}: beyond the budget of its hop`);
}

function rank(tier: Tier): number {
  return tiers.indexOf(tier);
}

function checkEnd(exam: Examination, intent: Intent, { outcomes, refusals }: Ends): void {
  const { body } = intent.statement;
  if (outcomes.length + refusals.length === 0)
    exam.incomplete(`${label(intent)}: neither an outcome nor a refusal ends it`);
  if (refusals.length > 0 && outcomes.length > 0) exam.forged(`${label(intent)}: refused, and yet it has an outcome`);
  if (refusals.length > 1) exam.forged(`${label(intent)}: refused twice`);
  for (const { statement } of refusals) {
    if (statement.body.action !== body.action) exam.forged(`${label(intent)}: ended by the refusal of another action`);
  }
  const last = checkOutcomes(exam, intent, outcomes);
  if (!last) return;
  const strong = body.tier === 'attest' || body.tier === 'approve';
  if (strong && last.statement.body.status === 'unknown')
    exam.incomplete(`${label(intent)}: what came of it is unknown`);
  const end = outcomes[0]?.index ?? last.index;
  const anchored = outcomes.filter(({ statement }) => statement.body.anchor !== null);
  for (const outcome of anchored) exam.attempt(label(outcome), () => checkAnchor(exam, intent, outcome, end));
  if (body.tier === 'approve' && anchored.length === 0) {
    exam.unanchored(`${label(last)}: an approve action without a cosigned checkpoint`);
  }
}

/** A refused replay cites the first use of its proof; that does not end the first use. */
function endsIntent(refusal: StatementWith<'refusal'>): boolean {
  return refusal.body.reason !== 'proof-replayed';
}

function checkOutcomes(exam: Examination, intent: Intent, outcomes: readonly Outcome[]): Outcome | undefined {
  for (const outcome of outcomes) {
    if (outcome.index < intent.index) exam.forged(`${label(outcome)}: stands before its intent`);
    if (outcome.statement.body.action !== intent.statement.body.action)
      exam.forged(`${label(outcome)}: of another action`);
    exam.attempt(label(outcome), () => {
      checkHookOutcome(exam, intent, outcome);
      checkToldOutcome(exam, intent, outcome);
    });
  }
  const [first, second, third] = outcomes;
  if (!second) return first;
  const settles =
    first?.statement.body.status === 'unknown' && second.statement.body.supersedes === first.statement.digest;
  if (third || !settles) exam.forged(`${label(second)}: a second outcome of one intent`);
  return second;
}

/** The checkpoint that the outcome names covered the intent before the outcome was written, and witnesses had signed it. */
function checkAnchor(exam: Examination, intent: Intent, outcome: Outcome, end: number): void {
  const { anchor } = outcome.statement.body;
  if (anchor === null) return;
  const bytes = exam.members.get(members.anchorProof(intent.index));
  if (!bytes) {
    exam.incomplete(`${label(outcome)}: the proof under its cosigned checkpoint is not here`);
    return;
  }
  const proof = readProof(bytes);
  need(proof.index === intent.index, 'the anchor does not cover its intent');
  const checkpoint = provenCheckpoint(exam, intent, proof);
  need(checkpoint.size === anchor.size && toHex(checkpoint.root) === anchor.root, 'the anchor is another checkpoint');
  need(toHex(sha256(utf8(proof.checkpoint))) === anchor.note, 'the anchor is another note');
  need(anchor.size > intent.index && anchor.size <= end, 'the anchor does not stand between intent and outcome');
  exam.anchors.set(intent.statement.digest, proof.checkpoint);
  const judged = exam.judge(proof.checkpoint);
  if (!judged) return; // no trust file: the check `trust` says so
  if (judged.badSignatures.length > 0)
    throw new EvidenceError('signature', `the anchor: bad signature by ${judged.badSignatures.join()}`);
  if (judged.missingLogKeys.length > 0)
    throw new EvidenceError('signature', `the anchor: no valid signature by ${judged.missingLogKeys.join()}`);
  if (judged.quorumMet && judged.witnessedTime !== undefined) exam.anchored.add(intent.statement.digest);
  else exam.unanchored(`${label(outcome)}: its checkpoint has no witness quorum of the trust file`);
}

function checkCitations(exam: Examination): void {
  const cited: readonly (readonly [Outcome | Refusal, string | null])[] = [
    ...exam.all('outcome').map((outcome) => [outcome, outcome.statement.body.intent] as const),
    ...exam.all('refusal').map((refusal) => [refusal, refusal.statement.body.cites] as const),
  ];
  for (const [logged, digest] of cited) {
    if (digest === null) continue;
    const target = exam.byDigest.get(digest);
    if (!target) exam.incomplete(`${label(logged)}: what it cites is not here`);
    else if (target.index > logged.index) exam.forged(`${label(logged)}: cites what comes later`);
    else if (logged.statement.predicate === 'outcome' && target.statement.predicate !== 'intent') {
      exam.forged(`${label(logged)}: an outcome of a ${target.statement.predicate}`);
    }
  }
}
