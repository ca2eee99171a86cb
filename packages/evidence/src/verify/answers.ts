import { parseActionRecord } from '../action-record.ts';
import { fromUtf8, toHex } from '../encoding.ts';
import { DeedError } from '../errors.ts';
import { parseStrictJson } from '../json.ts';
import { parseCheckpoint } from '../log/checkpoint.ts';
import { parseNote } from '../log/note.ts';
import type { PayloadRef } from '../predicates.ts';
import type { StatementWith } from '../statement.ts';
import { actorOf, type Opened, partiesOf } from './actor.ts';
import { type Examination, erasureText, type Logged } from './examination.ts';
import { layersOf } from './layers.ts';
import {
  type ActionReport,
  type CheckResult,
  type HopReport,
  type Report,
  type TaskReport,
  type Verdict,
  verdictCodes,
  verdictOrder,
} from './report.ts';

const maxRecords = 50;

/** Puts together what the verifier says: the verdict, its reasons, and the four answers for each action. */
export function answer(exam: Examination, checks: readonly CheckResult[]): Report {
  const verdict = verdictOf(exam);
  const isCase = verdict !== 'unusable';
  return {
    verdict,
    code: verdictCodes[verdict],
    reasons: exam.reasons,
    checks,
    case: exam.json ? { id: exam.json.case, origin: exam.json.origin, tasks: exam.json.tasks } : null,
    task: isCase ? taskOf(exam) : null,
    hops: isCase ? hopsOf(exam) : [],
    actions: isCase ? actionsOf(exam) : [],
    findings: isCase ? exam.all('finding').map(({ statement: { body } }) => pickFinding(exam, body)) : [],
    reconciled: isCase ? exam.all('reconciled').map(({ statement }) => coverageOf(statement)) : [],
    erasures: isCase ? erasuresOf(exam) : [],
    checkpoint: headOf(exam),
    root: [...exam.keys].find(([, key]) => key.role === 'root')?.[0] ?? null,
    witnesses: witnessesOf(exam),
    timestamps: timestampsOf(exam),
    limits: isCase ? limitsOf(exam) : [],
  };
}

/** The first verdict that has a reason. */
export function verdictOf({ reasons }: Examination): Verdict {
  return verdictOrder.find((verdict) => reasons.some((reason) => reason.verdict === verdict)) ?? 'VERIFIED';
}

function pickFinding(exam: Examination, { finding, type, severity, why, todo }: StatementWith<'finding'>['body']) {
  const { state, until } = exam.findingStates.get(finding) ?? { state: 'open', until: null };
  return { finding, type, severity, why, todo, state, until };
}

function coverageOf({ time, body }: StatementWith<'reconciled'>): string {
  const sources = body.sources.map(
    ({ source, watermark, coverage }) => `${source} up to ${watermark} (${coverage.join(', ')})`,
  );
  return `${time}: ${body.confirmed} confirmed, ${body.findings.length} findings; looked at ${sources.join('; ') || 'no source'}`;
}

/** What was destroyed and what is protected, in words. Only those that were believed. */
function erasuresOf(exam: Examination): string[] {
  const believed = new Set(exam.erased.values());
  const erasures = exam.all('erased').flatMap((logged) => {
    const [first] = logged.statement.body.payloads;
    if (!believed.has(logged) || first === undefined) return [];
    const { scope, payloads, copies } = logged.statement.body;
    const number = payloads.length === 1 ? '1 payload' : `${payloads.length} payloads`;
    const what = scope === 'task' ? `the task's key and ${number}` : number;
    const held = copies.length > 0 ? `; copies remain in ${copies.join(', ')}` : '';
    return [`${what} ${erasureText(exam, first)}${held}`];
  });
  const holds = exam.all('hold').map(({ statement: { time, body } }) => {
    return `${body.hold} ${body.act} by ${body.person} at ${time}: ${body.reason}`;
  });
  return [...erasures, ...holds];
}

function taskOf(exam: Examination): TaskReport | null {
  const opened = exam.all('task-opened')[0];
  if (!opened) return null;
  const { body, series, time } = opened.statement;
  const closed = exam.all('task-closed').find(({ statement }) => statement.series === series);
  return {
    task: series,
    objective: textOf(exam, body.objective),
    principal: principalOf(exam, body.principal),
    opened: time,
    closed: closed ? `${closed.statement.time} (${closed.statement.body.reason})` : null,
    statements: exam.series.get(series)?.length ?? 0,
    outputs: outputsText(closed?.statement),
    credentials: body.credentials.map(({ broker, debt }) =>
      debt === 'static' ? debtText(broker) : `${broker}, for this task alone`,
    ),
  };
}

/** What everything that a task leaves says of a static secret. */
export function debtText(broker: string): string {
  return `${broker}: static secret (NHI7), the same for each task and not revoked at its end`;
}

/** Each output as a line: name, then its digests. */
export function outputsText(closed: StatementWith<'task-closed'> | undefined): string[] {
  const outputs = closed?.body.outputs ?? [];
  return outputs.map(
    ({ name, digest }) =>
      `${name} ${Object.entries(digest)
        .map(([kind, hex]) => `${kind} ${hex}`)
        .join(', ')}`,
  );
}

function textOf(exam: Examination, ref: PayloadRef): string {
  const bytes = exam.payload(ref);
  return bytes ? (readable(() => fromUtf8(bytes)) ?? '(not text)') : absence(exam, ref);
}

function absence(exam: Examination, ref: PayloadRef): string {
  return `(${erasureText(exam, ref.sha256) ?? 'withheld'})`;
}

/** What a payload of untrusted bytes says, or nothing where it is not in form. */
function readable<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof DeedError) return undefined;
    throw error;
  }
}

function principalOf(exam: Examination, ref: PayloadRef): string {
  const bytes = exam.payload(ref);
  if (!bytes) return absence(exam, ref);
  const { kind, id, authenticated } = (readable(() => parseStrictJson(bytes).value) ?? {}) as Record<string, unknown>;
  if (typeof kind !== 'string' || typeof id !== 'string') return '(not in form)';
  return `${kind} ${id}, authenticated by ${authenticated}`;
}

function actionsOf(exam: Examination): ActionReport[] {
  const intents = exam.all('intent');
  const ended = new Set(intents.map(({ statement }) => statement.body.action));
  const replays = (refusal: StatementWith<'refusal'>) => refusal.body.reason === 'proof-replayed';
  const refused = exam
    .all('refusal')
    .filter(({ statement }) => !ended.has(statement.body.action) || replays(statement));
  const reports = [
    ...intents.map((intent) => ({ at: intent.index, report: intentReport(exam, intent) })),
    ...refused.map((refusal) => ({ at: refusal.index, report: refusalReport(exam, refusal) })),
  ];
  return reports.sort((a, b) => a.at - b.at).map(({ report }) => report);
}

function intentReport(exam: Examination, intent: Logged<StatementWith<'intent'>>): ActionReport {
  const { body, digest } = intent.statement;
  const outcome = exam
    .all('outcome')
    .filter(({ statement }) => statement.body.intent === digest)
    .at(-1);
  const refusal = exam
    .all('refusal')
    .find(({ statement }) => statement.body.cites === digest && statement.body.reason !== 'proof-replayed');
  const end = outcome ? outcome.statement.body.status : refusal ? 'refused' : 'open';
  const grant = exam.find(body.authority.grant, 'grant-decision')?.statement.body;
  const approved = body.approvals.flatMap((each) => exam.find(each, 'approval')?.statement.body ?? []);
  const parts = [
    `policy allowed (${body.decision.reasons.join(', ')})`,
    grant
      ? `grant ${grant.verdict} ${grant.grade}${body.authority.unearned ? ', authority not earned' : ''}`
      : 'grant unknown',
    ...(approved.length > 0
      ? [`approved by ${approved.map(({ person, grade }) => `${person.id} (${grade})`).join(', ')}`]
      : []),
  ];
  return {
    action: body.action,
    end,
    tier: body.tier,
    observed: (outcome ?? intent).statement.observed,
    ...agentOf(exam, intent),
    authority: parts.join('; '),
    resource: resourceOf(exam, body.record, `${body.tool.server}/${body.tool.name}`),
    prompt: exam.confirmedPrompts.has(digest) ? 'confirmed' : (body.prompt?.link ?? null),
    trace: body.trace ?? null,
    result: resultOf(exam, outcome?.statement, refusal?.statement),
    records: recordsOf(exam, outcome?.statement.digest ?? ''),
    layers: layersOf(exam, intent, outcome),
  };
}

function refusalReport(exam: Examination, refusal: Logged<StatementWith<'refusal'>>): ActionReport {
  const { body, observed } = refusal.statement;
  return {
    action: body.action,
    end: 'refused',
    tier: null,
    observed,
    ...agentOf(exam, refusal),
    authority: body.decision
      ? `policy: ${body.decision.outcome} (${body.decision.reasons.join(', ') || 'nothing permits it'})`
      : 'none: refused before policy',
    resource: resourceOf(exam, body.record, body.tool ? `${body.tool.server}/${body.tool.name}` : body.method),
    prompt: null,
    trace: null,
    result: `refused: ${body.reason} (${body.detail})`,
    records: [],
    layers: layersOf(exam, refusal, undefined),
  };
}

/** Who acted, and for whom: a delegate with everybody above it, up to the principal. */
function agentOf(
  exam: Examination,
  acted: Logged<StatementWith<'intent'> | StatementWith<'refusal'>>,
): Pick<ActionReport, 'agent' | 'actors'> {
  const chain = acted.statement.body.authority?.chain ?? [];
  const actor = readable(() => actorOf(exam, acted, chain));
  if (!actor) return { agent: 'unknown', actors: [] };
  const actors = partiesOf(actor).map(({ spiffe }) => spiffe);
  if (actors.length === 0) return { agent: 'agent not enrolled', actors };
  const behalf = actor.hops.length === 0 ? [] : [`on behalf of ${onBehalfOf(exam, actor.opened)}`];
  return { agent: [actors.toReversed().join(' for '), ...behalf].join(' '), actors };
}

function onBehalfOf(exam: Examination, { statement }: Opened): string {
  const [who = ''] = principalOf(exam, statement.body.principal).split(', authenticated by ');
  return who;
}

function hopsOf(exam: Examination): HopReport[] {
  return exam.all('hop').map(({ statement: { body, digest } }) => {
    const held = [...exam.hops.values()].find(({ hop }) => hop.statement.digest === digest);
    const ended = exam.all('hop-ended').some(({ statement }) => statement.body.hop === digest);
    const accepted = held?.accepted.statement.digest ?? '';
    const { delegator, delegate, ceiling, budget, deadline, depth } = body;
    return {
      hop: digest,
      delegator: delegator.spiffe,
      delegate: delegate.spiffe,
      limits: `up to tier ${ceiling}, ${budget.actions} actions, until ${deadline}, ${depth} hops further`,
      state: ended ? 'ended' : held ? 'accepted' : 'offered',
      begun: exam.all('intent').filter(({ statement }) => statement.body.authority.chain.includes(accepted)).length,
    };
  });
}

function resourceOf(exam: Examination, ref: PayloadRef | null, tool: string): string {
  const bytes = exam.payload(ref);
  if (!bytes) return ref?.kept === false ? `${tool} (digest only)` : tool;
  const operands = readable(() => parseActionRecord(bytes).operands);
  if (!operands) return tool;
  if (operands.kind === 'paths') return `${tool} ${operands.paths.map(({ real }) => real).join(', ')}`;
  if (operands.kind === 'none') return tool;
  if (operands.kind === 'http') return `${tool} ${operands.method} ${operands.url}`;
  const updates = operands.updates.map(
    (update) => `${update.ref} ${update.old.slice(0, 8)}..${update.new.slice(0, 8)}`,
  );
  return `${tool} ${operands.repository} ${updates.join(', ')}`;
}

/** In lines, as many as a report may hold. */
function recordsOf(exam: Examination, outcome: string): readonly string[] {
  const lines = exam.corroborated.has(outcome) ? (exam.touched.get(outcome) ?? []).map(({ text }) => text) : [];
  return lines.length > maxRecords ? [...lines.slice(0, maxRecords), `and ${lines.length - maxRecords} more`] : lines;
}

function resultOf(exam: Examination, outcome?: StatementWith<'outcome'>, refusal?: StatementWith<'refusal'>): string {
  if (refusal) return `refused: ${refusal.body.reason} (${refusal.body.detail})`;
  if (!outcome) return 'no outcome';
  const { status, result } = outcome.body;
  const confirmed = exam.corroborated.has(outcome.digest) ? ", confirmed by the system's own record" : '';
  const digest = result ? `, ${result.size} bytes, sha256 ${result.sha256.slice(0, 12)}` : '';
  return `${status}${digest}${confirmed}`;
}

export function headOf(exam: Examination): Report['checkpoint'] {
  if (!exam.exportedProof) return null;
  const { origin, size, root } = parseCheckpoint(parseNote(exam.exportedProof.checkpoint).text);
  return { origin, size, root: toHex(root) };
}

export function witnessesOf(exam: Examination, note = exam.exportedProof?.checkpoint): Report['witnesses'] {
  if (note === undefined || exam.reasons.some(({ verdict }) => verdict === 'FORGED')) return [];
  const judged = exam.judge(note);
  return (judged?.witnesses ?? []).map(({ name, timestamp }) => ({
    name,
    time: new Date(timestamp * 1000).toISOString(),
  }));
}

function timestampsOf(exam: Examination): Report['timestamps'] {
  if (exam.reasons.some(({ verdict }) => verdict === 'FORGED')) return [];
  return [...exam.stamps.values()].map(({ size, timestamp: { timeMs, certificate }, discounted }) => {
    return { size, time: new Date(timeMs).toISOString(), certificate, discounted };
  });
}

function limitsOf(exam: Examination): string[] {
  const limits = [
    'One unbroken chain is shown, not that no second one exists: ask other holders of receipts, or audit the whole log.',
    ...exam.all('observe-gap').map(({ statement: { body } }) => `Gap since ${body.since}: ${body.detail}`),
  ];
  const alone = exam.statements.filter(({ statement: { body } }) => 'order' in body && body.order?.alone);
  if (alone.length > 0)
    limits.push(
      `One operator alone ordered ${alone.length} changes among the people, without a second person: ${alone.map(({ statement }) => statement.subject.name.slice('person:'.length)).join(', ')}.`,
    );
  if (exam.erased.size > 0) limits.push('What was erased cannot be looked at any more: its digests alone are proved.');
  if (exam.all('reconciled').length === 0)
    limits.push("No other system's record was looked at: nothing is said about effects behind the gateway.");
  if (exam.unjudgedEvents > 0)
    limits.push(
      `${exam.unjudgedEvents} records of the task's credentials came after the last reconciliation: not judged.`,
    );
  if ([...exam.stamps.values()].some(({ discounted }) => discounted === null))
    limits.push('A timestamp says that something was there by then, and never since when.');
  return [...limits, ...witnessLimits(exam)];
}

export function witnessLimits({ options: { trust } }: Examination): string[] {
  const witnesses = trust?.witnesses ?? [];
  if (witnesses.length === 0 || witnesses.some(({ name }) => name !== 'local')) return [];
  return [
    "The only witness is local: run by the log's own operator, it guards against crashes and rollback, not against that operator.",
  ];
}
