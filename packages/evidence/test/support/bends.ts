import { type ApprovalWord, encodeApproval, parseApproval } from '../../src/approval.ts';
import type { Signer } from './actors.ts';
import type { Draft } from './log-maker.ts';
import type { Bend, CallDraft, Story, WordDraft } from './story.ts';

/** Bends the statement of one step before it is signed. */
export function at(step: string, change: (draft: Draft, story: Story) => void): Bend {
  return { draft: (draft, story) => (draft.step === step ? change(draft, story) : undefined) };
}

/** Sets one field, named by its path, of a step's body. */
export function set(step: string, path: string, value: unknown | ((story: Story) => unknown)): Bend {
  return at(step, (draft, story) => put(draft.body, path, typeof value === 'function' ? value(story) : value));
}

export function signedBy(step: string, signer: Signer): Bend {
  return at(step, (draft) => {
    draft.signer = signer;
  });
}

/** Sets one field of a step's header to another value than it would have. */
export function inHeader(step: string, field: string, value: unknown): Bend {
  return at(step, (draft) => {
    draft.header[field] = value;
  });
}

export function skip(...steps: readonly string[]): Bend {
  return {
    draft(draft) {
      if (steps.includes(draft.step)) draft.skip = true;
    },
  };
}

/** Bends the agent's call of one step before token and proof are made. */
export function inCall(step: string, change: (call: CallDraft, story: Story) => void): Bend {
  return { call: (call, story) => (call.step === step ? change(call, story) : undefined) };
}

/** Bends a person's word before it is signed. */
export function inWord(step: string, change: (word: WordDraft, story: Story) => void): Bend {
  return { word: (word, story) => (word.step === step ? change(word, story) : undefined) };
}

/** Bends what the person approves. */
export function inApproval(change: (word: ApprovalWord) => Partial<ApprovalWord>): Bend {
  return inWord('push', (draft) => {
    const word = parseApproval(draft.bytes);
    draft.bytes = encodeApproval({ ...word, ...change(word) });
  });
}

/** Slips statements in after a step. */
export function after(step: string, add: (story: Story) => void): Bend {
  return { after: (recorded, story) => (recorded.step === step ? add(story) : undefined) };
}

/** Several bends at once. Each hook runs for each; of what can be said only once, the last counts. */
export function all(...bends: readonly Bend[]): Bend {
  return {
    ...Object.assign({}, ...bends),
    draft: (draft, story) => bends.forEach((bend) => void bend.draft?.(draft, story)),
    call: (call, story) => bends.forEach((bend) => void bend.call?.(call, story)),
    word: (word, story) => bends.forEach((bend) => void bend.word?.(word, story)),
    record: (record, story) => bends.reduce((said, bend) => bend.record?.(said, story) ?? said, record),
    after: (recorded, story) => bends.forEach((bend) => void bend.after?.(recorded, story)),
    files: (files, story) => bends.forEach((bend) => void bend.files?.(files, story)),
  };
}

/** The records of the forge as somebody else would have written them. */
export function inEvents(event: NonNullable<Bend['event']>): Bend {
  return {
    event,
  };
}

export function put(target: unknown, path: string, value: unknown): void {
  const steps = path.split('.');
  const last = steps.pop() ?? '';
  let place = target as Record<string, unknown>;
  for (const step of steps) {
    const inner = place[step];
    place[step] = Array.isArray(inner) ? [...inner] : { ...(inner as object) };
    place = place[step] as Record<string, unknown>;
  }
  place[last] = value;
}

/** What a bend leads to: a reason of this check, in these words. */
export interface Expected {
  readonly bend: Bend;
  readonly check: string;
  readonly says: RegExp;
}

/** Bends by the sentence that says what is wrong then: the tests expect their verdicts, and the vectors hold their cases. */
export type BentCases = Readonly<Record<string, Expected>>;
