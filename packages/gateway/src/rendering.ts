import { type ActionRecord, type ApprovalQuorum, plainLine, plainText, utf8 } from '@deed/evidence';
import type { PushOperands } from './git/push-operands.ts';
import { renderPush } from './git/render-push.ts';
import { warningsOf } from './lookalikes.ts';
import type { ResourceState } from './resource-state.ts';

export interface RenderingContext {
  readonly agent: string;
  /** The opaque id of whom the task is for. */
  readonly behalf: string;
  readonly objective: string;
  readonly tier: string;
  readonly reasons: readonly string[];
  readonly quorum: ApprovalQuorum;
  readonly state: ResourceState;
}

/** Raised with every change of what approvers are shown: each rendering names the template it was made by. */
const template = 2;

/**
 * What the approver is shown, made from the frozen action record and what the gateway itself sees, never from the agent's prose.
 * Every value that somebody else chose passes through `plainText`, which shows hidden characters as escapes.
 */
export function renderAction(record: ActionRecord, context: RenderingContext): Uint8Array {
  const warnings = [
    ...warningsOf(record.arguments).map((warning) => `the arguments: ${warning}`),
    ...warningsOf(chosenNames(record)).map((warning) => `what it touches: ${warning}`),
  ];
  const { people, grade } = context.quorum;
  const lines = [
    `APPROVAL REQUEST (template ${template})`,
    '',
    `agent    ${plainLine(context.agent)}`,
    `for      ${plainLine(context.behalf)}`,
    `task     ${record.task}`,
    `         "${plainLine(context.objective)}"`,
    `action   ${record.action}`,
    `tool     ${plainLine(record.server)}/${plainLine(record.tool)}`,
    `policy   tier ${context.tier} by ${context.reasons.map(plainLine).join(', ')}`,
    `takes    ${people === 1 ? 'one person' : `${people} people`}, grade ${grade} or above`,
    ...(record.author ? [`author   ${record.author.person}, by an edit of ${record.author.edits}`] : []),
    '',
    ...(warnings.length > 0 ? ['!! Look closely:', ...indented(warnings), ''] : []),
    'What will happen:',
    ...indented(effectLines(record, context.state)),
    '',
    ...(context.state.change.length > 0 ? ['What would change:', ...indented(context.state.change), ''] : []),
    record.author ? 'Arguments, as that person wrote them:' : 'Arguments, exactly as the agent sent them:',
    ...indented(plainText(record.arguments).split('\n')),
    '',
  ];
  return utf8(lines.join('\n'));
}

function effectLines(record: ActionRecord, state: ResourceState): readonly string[] {
  const { operands } = record;
  if (operands.kind === 'git-push') return renderPush(operands as PushOperands).split('\n');
  if (operands.kind === 'paths')
    return operands.paths.map(({ real }, i) => `touches ${plainLine(real)}: there is ${state.files[i] ?? 'more'} now`);
  if (operands.kind === 'http') return [`the request ${operands.method} ${plainLine(operands.url)}`];
  return ['the call itself; the gateway knows nothing of what it touches'];
}

/** The names in the operands that the agent or its repository chose. */
function chosenNames({ operands, tool, server }: ActionRecord): string {
  const own = `${server} ${tool}`;
  if (operands.kind === 'paths') return `${own} ${operands.paths.map(({ real }) => real).join(' ')}`;
  if (operands.kind === 'none') return own;
  if (operands.kind === 'http') return `${own} ${operands.url}`;
  const { url, updates, log } = operands;
  return [own, url, ...updates.map(({ ref }) => ref), ...log.map(({ subject }) => subject)].join(' ');
}

function indented(lines: readonly string[]): readonly string[] {
  return lines.map((line) => (line === '' ? '' : `  ${line}`));
}
