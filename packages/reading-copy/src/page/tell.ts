import type { Statement } from '@deed/evidence';

const short = (digest: string) => `${digest.slice(0, 12)}…`;

/** What a statement says, in one line, for the timeline. */
export function tell(statement: Statement): string {
  const { predicate, body } = statement;
  switch (predicate) {
    case 'key-event':
      return `${body.event} ${body.key.role} key ${short(body.key.keyid)}`;
    case 'person-enrolled':
      return `${body.person} as ${body.roles.join(' and ')}${body.order?.alone ? ', let in by one operator alone' : ''}`;
    case 'person-changed':
      return `${body.person}: ${body.change.kind}${body.order.alone ? ', by one operator alone' : ''}`;
    case 'administered':
      return `${body.act}${body.target === null ? '' : ` of ${body.target}`}, by whoever was at the ${body.by}`;
    case 'agent-enrolled':
      return body.spiffe;
    case 'revoked':
      return `${body.id}: ${body.reason}`;
    case 'policy-activated':
      return `version ${body.version}, by ${body.person}`;
    case 'tool-pinned':
      return `${body.server}/${body.tool}, ${body.how}`;
    case 'effects-declared':
      return `what ${body.server} is to leave in other systems’ records`;
    case 'grant-decision':
      return `${body.verdict} ${body.grade}, ceiling ${body.ceiling}: ${body.reason}`;
    case 'task-opened':
      return `${body.agent?.spiffe ?? 'agent not enrolled'}, ceiling ${body.ceiling}, until ${body.deadline}`;
    case 'hop':
      return `${body.delegator.spiffe} to ${body.delegate.spiffe}, ceiling ${body.ceiling}, ${body.budget.actions} actions, until ${body.deadline}`;
    case 'hop-accepted':
      return `${body.delegate} accepted what was passed on`;
    case 'hop-ended':
      return `taken back by ${body.by === 'operator' ? 'an operator' : 'its delegator'}`;
    case 'approval':
      return `${body.person.id} approved ${body.action}`;
    case 'intent':
      return `${body.tool.server}/${body.tool.name}, tier ${body.tier}`;
    case 'outcome':
      return `${body.status}, of ${body.action}`;
    case 'refusal':
      return `${body.reason}: ${body.detail}`;
    case 'task-closed':
      return `${body.reason}, ${body.count} statements`;
    case 'prompt-confirmed':
      return `${body.action} was the call ${body.call} of its model`;
    case 'observe-gap':
      return `since ${body.since}: ${body.detail}`;
    case 'events-ingested':
      return `${body.batch.events} events of ${body.source}`;
    case 'finding':
      return `${body.type} (${body.severity}): ${body.why}`;
    case 'finding-changed':
      return `${body.finding} is ${body.state}: ${body.reason}`;
    case 'confirmed':
      return `${body.action}, by ${body.events.length} records of another system`;
    case 'reconciled':
      return `${body.confirmed} confirmed, ${body.findings.length} findings`;
    case 'case-exported':
      return `${body.members.length} members under a tree of ${body.size}`;
    case 'configuration-stated':
      return `${body.tools.length} tools, ${body.sources.length} sources`;
    case 'rejects-counted':
      return body.counts.map(({ code, count }) => `${count} ${code}`).join(', ');
    default:
      return '';
  }
}
