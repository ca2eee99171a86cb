import type { PushOperands, PushUpdate } from './push-operands.ts';

const loud: Readonly<Record<PushUpdate['kind'], string | undefined>> = {
  create: undefined,
  forward: undefined,
  rewrite: '!! REWRITES HISTORY: commits that are at the forge now are left behind',
  'tag-move': '!! MOVES A TAG that others may already rely on',
  delete: '!! DELETES this ref at the forge',
};

/** Plain text for the person who approves: every line is made here, text of the agent's is shown with its oddities escaped. */
export function renderPush(operands: PushOperands): string {
  const lines = [`git push to ${visible(operands.url)} (remote ${visible(operands.remote)})`];
  if (operands.updates.length === 0) lines.push('nothing would be pushed');
  for (const update of operands.updates) {
    lines.push(`${visible(update.ref)} ${update.old}..${update.new}${update.kind === 'create' ? ' (new)' : ''}`);
    const warning = loud[update.kind];
    if (warning !== undefined) lines.push(`  ${warning}`);
  }
  for (const { ref, reason } of operands.rejected) lines.push(`not pushed: ${visible(ref)} ${visible(reason)}`);
  lines.push(`${operands.commits} new ${operands.commits === 1 ? 'commit' : 'commits'}`);
  for (const { id, subject } of operands.log) lines.push(`  ${id.slice(0, 12)} ${visible(subject)}`);
  if (operands.commits > operands.log.length) lines.push(`  and ${operands.commits - operands.log.length} more`);
  for (const line of operands.diffstat.split('\n')) if (line !== '') lines.push(`  ${visible(line)}`);
  return `${lines.join('\n')}\n`;
}

/** Controls, bidirectional overrides, odd spaces and invisible letters become `\u{...}`: what is read is what is there. */
function visible(text: string): string {
  return text.replace(
    /[^\p{L}\p{N}\p{P}\p{S} ]|\p{Default_Ignorable_Code_Point}/gu,
    (char) => `\\u{${char.codePointAt(0)?.toString(16)}}`,
  );
}
