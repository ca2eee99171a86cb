import { type ActionRecord, plainLine, plainText, utf8 } from '@deed/evidence';
import type { PushOperands } from './git/push-operands.ts';
import { renderPush } from './git/render-push.ts';

export interface RenderingContext {
  readonly agent: string;
  readonly objective: string;
  readonly tier: string;
  readonly reasons: readonly string[];
}

/**
 * What the approver is shown, made from the frozen action record alone and never from the agent's prose. Every value that
 * somebody else chose passes through `plainText`, which shows hidden characters as escapes. Version 1 of this template.
 */
export function renderAction(record: ActionRecord, context: RenderingContext): Uint8Array {
  const lines = [
    'APPROVAL REQUEST (template 1)',
    '',
    `agent    ${plainLine(context.agent)}`,
    `task     ${record.task}`,
    `         "${plainLine(context.objective)}"`,
    `action   ${record.action}`,
    `tool     ${plainLine(record.server)}/${plainLine(record.tool)}`,
    `policy   tier ${context.tier} by ${context.reasons.map(plainLine).join(', ')}`,
    '',
    'What will happen:',
    ...effectLines(record).map((line) => `  ${line}`),
    '',
    'Arguments, exactly as the agent sent them:',
    `  ${plainText(record.arguments)}`,
    '',
  ];
  return utf8(lines.join('\n'));
}

function effectLines(record: ActionRecord): string[] {
  const { operands } = record;
  if (operands.kind === 'git-push') return renderPush(operands as PushOperands).split('\n');
  if (operands.kind === 'paths') return operands.paths.map(({ real }) => `touches ${plainLine(real)}`);
  return ['the call itself; the gateway knows nothing of what it touches'];
}
