import { toHex, utf8 } from '../../src/encoding.ts';
import { encodeHold, type HoldWord } from '../../src/hold.ts';
import { newId } from '../../src/ids.ts';
import { sha256 } from '../../src/platform.ts';
import { actors, origin, type Signer, signWord } from './actors.ts';
import type { Draft } from './log-maker.ts';
import { digestOf, start } from './props.ts';
import type { Bend, Story } from './story.ts';

export const why = 'its subject asked for it';

/** The payloads and events that an honest erasure of the whole task destroys. */
export function wholeTask({ log }: Story): string[] {
  return [...log.files.keys()]
    .flatMap((name) => /^(?:payloads|events\/[0-9a-f]{64})\/([0-9a-f]{64})$/.exec(name)?.[1] ?? [])
    .sort();
}

/** States an erasure, as the server would. */
export function tellErased(story: Story, payloads: readonly string[], over: Partial<Draft> = {}): void {
  const { body, ...rest } = over;
  const fields = {
    scope: 'payloads',
    payloads,
    by: { kind: 'person', person: story.person },
    why,
    copies: [],
    ...body,
  };
  story.record({
    step: 'erased',
    predicate: 'erased',
    place: { task: story.task, chain: 'after' },
    subject: { name: `task:${story.task}`, sha256: digestOf(JSON.stringify(fields.payloads)) },
    body: fields,
    ...rest,
  });
}

/** The statement of an earlier export, which lists what the story holds so far. */
export function tellExported(story: Story): string {
  const id = newId('case', start);
  const listed = [...story.log.files].map(([name, bytes]) => ({ name, sha256: toHex(sha256(bytes)) }));
  story.record({
    step: 'exported before',
    predicate: 'case-exported',
    place: { task: story.task, chain: 'after' },
    subject: { name: `case:${id}`, sha256: toHex(sha256(utf8(JSON.stringify(listed)))) },
    body: {
      case: id,
      tasks: [story.task],
      heads: [{ series: 'keys', n: 0, digest: story.digest('key:root') }],
      size: story.log.size,
      members: listed,
      left: [],
    },
  });
  return id;
}

/** The word of a hold, and the statement that embeds it. */
export function tellHold(
  story: Story,
  act: 'placed' | 'released',
  hold: string,
  over: { readonly word?: Partial<HoldWord>; readonly body?: Record<string, unknown>; readonly signer?: Signer } = {},
): void {
  const fields = { act, origin, task: story.task, hold, reason: 'a claim is pending', person: story.person };
  const bytes = encodeHold({ ...fields, time: story.time(), ...over.word });
  story.record({
    step: `hold:${act}`,
    predicate: 'hold',
    place: { task: story.task, chain: 'after' },
    subject: { name: `hold:${hold}`, sha256: toHex(sha256(bytes)) },
    body: {
      hold,
      act,
      person: story.person,
      reason: 'a claim is pending',
      word: signWord('deed-hold-v1', bytes, over.signer ?? actors.person),
      ...over.body,
    },
  });
}

/** Takes the payloads out of the case and names them as left out. */
export function leftOut(names: (story: Story) => readonly string[], how = 'erased'): Bend {
  let gone: readonly string[] = [];
  return {
    files(files, story) {
      gone = names(story);
      for (const name of files.keys()) if (gone.some((one) => name.endsWith(`/${one}`))) files.delete(name);
    },
    draft(draft) {
      if (draft.step === 'exported') draft.body.left = gone.map((payload) => ({ payload, how, reason: why }));
    },
  };
}
