import { newId } from '../../../src/ids.ts';
import { after, all } from '../../support/bends.ts';
import { leftOut, tellErased, wholeTask, why } from '../../support/erasure.ts';
import { start } from '../../support/props.ts';
import type { Bend, Story } from '../../support/story.ts';

export const hold = newId('hold', start);
export const record = (story: Story) => [story.records.get('push')?.sha256 ?? ''];
/** Names are fixed when the erasure is told, before the case loses its members. */
export function erasing(tell: (story: Story, names: readonly string[]) => void, names = wholeTask): Bend {
  let chosen: readonly string[] = [];
  return all(
    after('reconciled', (story) => {
      chosen = names(story);
      tell(story, chosen);
    }),
    leftOut(() => chosen),
  );
}
export const whole: Bend = erasing((story, names) => tellErased(story, names, { body: { scope: 'task' } }));

export function isEvent({ log }: Story, name: string): boolean {
  return [...log.files.keys()].some((member) => member.startsWith('events/') && member.endsWith(`/${name}`));
}

export function withAlso(names: (story: Story) => readonly string[]): Bend {
  return {
    files(files, story) {
      for (const name of names(story)) files.delete(`payloads/${name}`);
    },
    draft(draft, story) {
      if (draft.step !== 'exported') return;
      const left = draft.body.left as object[];
      draft.body.left = [...left, ...names(story).map((payload) => ({ payload, how: 'erased', reason: why }))];
    },
  };
}
