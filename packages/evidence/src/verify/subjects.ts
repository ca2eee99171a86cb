import { fromBase64, toHex, utf8 } from '../encoding.ts';
import { sha256 } from '../platform.ts';
import type { Statement } from '../statement.ts';
import type { Word } from '../word.ts';
import type { Examination, Logged } from './examination.ts';

/** What a statement must say of itself in its subject (docs/formats/predicates.md). */
interface Subject {
  readonly name: string;
  /** Undefined where another statement tells it, see {@link toldElsewhere}. */
  readonly sha256?: string | undefined;
}

/** Kinds that speak of the records of another system; nobody else has them to speak of. */
const downstream: ReadonlySet<Statement['predicate']> = new Set(['confirmed', 'finding', 'reconciled']);

/** What does not fit in how a statement names its subject, its series and its observer; null if all does. */
export function misfitOf(statement: Statement): string | null {
  const { subject, series } = statement;
  const expected = subjectOf(statement);
  if (subject.name !== expected.name || (expected.sha256 ?? subject.sha256) !== subject.sha256) {
    return 'its subject is not what it is about';
  }
  if (statement.predicate === 'events-ingested' && series !== `source:${statement.body.source}`) {
    return `its series is not that of source ${statement.body.source}`;
  }
  if (statement.observed === 'downstream-confirmed' && !downstream.has(statement.predicate)) {
    return 'it says that another system observed it';
  }
  return null;
}

function subjectOf(statement: Statement): Subject {
  const { predicate, body, position, origin } = statement;
  const task = `task:${'task' in position ? position.task : ''}`;
  switch (predicate) {
    case 'key-event':
      return { name: `key:${body.key.keyid}`, sha256: body.key.keyid };
    case 'person-enrolled':
      return { name: `person:${body.person}`, sha256: toHex(sha256(fromBase64(body.key.public))) };
    case 'person-changed':
      return { name: `person:${body.person}`, sha256: toHex(sha256(fromBase64(body.order.words[0]?.bytes ?? ''))) };
    case 'agent-enrolled':
      return { name: `agent:${body.agent}`, sha256: toHex(sha256(fromBase64(body.key.spki))) };
    case 'revoked':
      return body.what === 'agent'
        ? { name: `agent:${body.id}` }
        : { name: `agent-name:${body.id}`, sha256: toHex(sha256(utf8(body.id))) };
    case 'policy-activated':
      return { name: `policy:${body.version}`, sha256: body.bundle };
    case 'tool-pinned':
      return { name: `tool:${body.server}/${body.tool}`, sha256: body.definition };
    case 'finding-changed':
      return {
        name: `finding:${body.finding}`,
        sha256: body.word ? signedDigest(body.word) : (body.cites ?? undefined),
      };
    case 'effects-declared':
      return { name: `server:${body.server}`, sha256: body.contract.sha256 };
    case 'grant-decision':
      return { name: `grant:${body.grant}`, sha256: digestOf(body) };
    case 'task-opened':
      return { name: task, sha256: body.objective.sha256 };
    case 'hop':
      return { name: `agent:${body.delegate.id}`, sha256: signedDigest(body.word) };
    case 'hop-accepted':
      return { name: `agent:${body.delegate}`, sha256: signedDigest(body.word) };
    case 'hop-ended':
      return { name: `hop:${body.hop}`, sha256: body.hop };
    case 'approval':
    case 'intent':
      return { name: `action:${body.action}`, sha256: body.record.sha256 };
    case 'refusal':
      return {
        name: `action:${body.action}`,
        sha256: body.record?.sha256 ?? body.authority?.evidence?.sha256 ?? toHex(sha256(utf8(body.action))),
      };
    case 'outcome':
    case 'prompt-confirmed':
      return { name: `action:${body.action}` };
    case 'confirmed':
      return { name: `action:${body.action}`, sha256: body.outcome };
    case 'task-closed':
    case 'observe-gap':
    case 'reconciled':
      return { name: task };
    case 'events-ingested':
      return { name: `source:${body.source}`, sha256: body.batch.root };
    case 'finding':
      return { name: `finding:${body.finding}`, sha256: body.events[0]?.event ?? body.statements[0] };
    case 'case-exported':
      return { name: `case:${body.case}`, sha256: toHex(sha256(utf8(JSON.stringify(body.members)))) };
    case 'erased':
      return {
        name: 'task' in position ? task : `deployment:${origin}`,
        sha256: toHex(sha256(utf8(JSON.stringify(body.payloads)))),
      };
    case 'hold':
      return { name: `hold:${body.hold}`, sha256: signedDigest(body.word) };
    case 'configuration-stated':
      return { name: `deployment:${origin}`, sha256: body.config.sha256 };
    case 'administered':
      return { name: `deployment:${origin}`, sha256: body.request.sha256 };
    case 'rejects-counted':
      return { name: `deployment:${origin}`, sha256: digestOf(body) };
  }
}

/** Of the fields after the header, in the order of docs/formats/predicates.md, without spaces. */
function digestOf(body: object): string {
  return toHex(sha256(utf8(JSON.stringify(body))));
}

function signedDigest({ bytes }: Word): string {
  return toHex(sha256(fromBase64(bytes)));
}

/** The subject's digest where another statement of the case tells it; undefined where that is not here, or not asked. */
export function toldElsewhere(exam: Examination, { statement }: Logged): string | undefined {
  const { predicate, body, position } = statement;
  const opened = exam
    .all('task-opened')
    .find(({ statement }) => 'task' in position && statement.series === position.task);
  if (predicate === 'outcome' || predicate === 'prompt-confirmed')
    return exam.find(body.intent, 'intent')?.statement.body.record.sha256;
  if (predicate === 'reconciled') return opened?.statement.digest;
  if (predicate === 'task-closed' || predicate === 'observe-gap') return opened?.statement.body.objective.sha256;
  if (predicate !== 'revoked') return undefined;
  return exam.all('agent-enrolled').find(({ statement }) => statement.body.agent === body.id)?.statement.subject.sha256;
}
