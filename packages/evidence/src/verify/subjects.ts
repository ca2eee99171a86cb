import { fromBase64, toHex, utf8 } from '../encoding.ts';
import { sha256 } from '../platform.ts';
import type { Statement } from '../statement.ts';

/** What a statement must say of itself in its subject, as far as it is told by the statement alone (docs/formats/predicates.md). */
interface Subject {
  readonly name: string;
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
      return { name: `person:${body.person}` };
    case 'agent-enrolled':
      return { name: `agent:${body.agent}` };
    case 'revoked':
      return { name: `agent:${body.id}` };
    case 'policy-activated':
      return { name: `policy:${body.version}`, sha256: body.bundle };
    case 'tool-pinned':
      return { name: `tool:${body.server}/${body.tool}`, sha256: body.definition };
    case 'grant-decision':
      return { name: `grant:${body.grant}` };
    case 'task-opened':
      return { name: task, sha256: body.objective.sha256 };
    case 'approval':
    case 'intent':
      return { name: `action:${body.action}`, sha256: body.record.sha256 };
    case 'refusal':
      return { name: `action:${body.action}`, sha256: body.record?.sha256 };
    case 'outcome':
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
      return { name: `finding:${body.finding}` };
    case 'case-exported':
      return { name: `case:${body.case}` };
    case 'erased':
      return {
        name: 'task' in position ? task : `deployment:${origin}`,
        sha256: toHex(sha256(utf8(JSON.stringify(body.payloads)))),
      };
    case 'hold':
      return { name: `hold:${body.hold}`, sha256: toHex(sha256(fromBase64(body.word.bytes))) };
    case 'rejects-counted':
      return { name: `deployment:${origin}` };
  }
}
