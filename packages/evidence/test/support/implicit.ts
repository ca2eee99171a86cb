import type { Bend } from './story.ts';

/** Nobody proved a key: the session of an agent that knows nothing of Deed. */
export function implicit(): Bend {
  return {
    draft(draft) {
      if (draft.step === 'opened') Object.assign(draft.body, { agent: null, implicit: true });
      if (draft.step === 'replay:refusal') draft.skip = true;
      if (draft.body.authority)
        Object.assign(draft.body, { authority: { ...draft.body.authority, pop: 'none', evidence: null } });
    },
  };
}
