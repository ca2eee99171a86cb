import { type ActionReport, layerNames, promptWords, type Report } from '@deed/evidence';
import { answers, type Child, el, fold, paged, section } from './dom.ts';
import { namedPayloads } from './named-payloads.ts';
import { payloadFold } from './payloads.ts';
import { promptFolds } from './prompts.ts';
import type { HeldCase, HeldStatement } from './read-case.ts';

const actionsAtOnce = 50;
/** Up to here each action stands open. */
const openUpTo = 12;

/** Each action with its four answers, its layers of evidence and its bytes. */
export function actionsSection(report: Report, held: HeldCase): HTMLElement | null {
  const { actions } = report;
  if (actions.length === 0) return null;
  const statements = byAction(held);
  const open = actions.length <= openUpTo;
  const list = paged(actions, actionsAtOnce, (action, i) => {
    const summary: Child[] = [
      el('h3', {}, `${i + 1}. ${action.resource}`),
      el('span', { class: `state ${action.end}` }, action.end),
      el('span', { class: 'dim' }, `${action.tier === null ? 'no tier' : `tier ${action.tier}`}, ${action.observed}`),
    ];
    return fold(summary, () => body(action, statements.get(action.action) ?? [], held), {
      open,
      prints: true,
      kind: 'card',
    });
  });
  const claimed =
    report.verdict === 'FORGED' ? el('p', { class: 'notice' }, 'The case is forged: this is what it claims.') : null;
  return section('actions', `Actions (${actions.length})`, claimed, list);
}

function byAction(held: HeldCase): Map<string, HeldStatement[]> {
  const found = new Map<string, HeldStatement[]>();
  for (const entry of held.statements) {
    const { statement } = entry;
    if (!statement || !('action' in statement.body)) continue;
    const known = found.get(statement.body.action);
    if (known) known.push(entry);
    else found.set(statement.body.action, [entry]);
  }
  return found;
}

function body(action: ActionReport, statements: readonly HeldStatement[], held: HeldCase): Child[] {
  const payloads = namedPayloads(statements);
  return [
    answers([
      ['Which agent', action.agent],
      ['What authority', action.authority],
      ['Which resource', action.resource],
      ...(action.trace
        ? [['Which trace', `${action.trace.traceId}, span ${action.trace.spanId}: the caller says so`] as const]
        : []),
      ...(action.prompt ? [['Which prompt', promptWords[action.prompt]] as const] : []),
      ['What result', action.result],
      ...(action.records.length > 0 ? [['What was recorded', action.records.join('\n')] as const] : []),
    ]),
    layers(action),
    ...(payloads.length > 0 ? [el('h4', {}, 'Exact bytes')] : []),
    ...promptFolds(statements, held),
    ...payloads.map((named) => payloadFold(named, held)),
    el('p', { class: 'dim' }, el('code', {}, action.action)),
  ];
}

const stateNames = { present: 'present', missing: 'missing', 'not-asked': 'not asked for' } as const;

function layers(action: ActionReport): HTMLElement {
  const rows = layerNames.map((name) => {
    const { state, why } = action.layers[name];
    const mark = el('span', { class: `state ${state}` }, stateNames[state]);
    return el('li', {}, el('b', {}, name), mark, el('span', { class: 'why' }, why));
  });
  return el('div', {}, el('h4', {}, 'Layers of evidence'), el('ul', { class: 'layers' }, ...rows));
}
