import { type ApprovalWord, encodeApproval, parseApproval } from '../../src/approval.ts';
import { fromBase64, toBase64, toHex, utf8 } from '../../src/encoding.ts';
import { newId } from '../../src/ids.ts';
import { sha256 } from '../../src/platform.ts';
import type { ApprovalGrade, PredicateBody } from '../../src/predicates.ts';
import { parseStatement } from '../../src/statement.ts';
import type { Word } from '../../src/word.ts';
import { actors, origin, type Signer, signWord } from './actors.ts';
import { after, all, at, inWord, put } from './bends.ts';
import { type Answering, passkeyWord } from './passkeys.ts';
import { type Orderer, tellPerson } from './people.ts';
import { digestOf, start } from './props.ts';
import type { Bend, Story } from './story.ts';

/** What the approval of the push says, as it was recorded. */
export function approvalOf(story: Story): PredicateBody<'approval'> {
  const statement = parseStatement(story.said.get('push:approval')?.envelope.payload ?? utf8(''));
  if (statement.predicate !== 'approval') throw new Error('the push has no approval');
  return statement.body;
}

/** Another person approves the push too, at step `<who>:approval`. `over`: where his word is another. */
export function alsoApproves(
  story: Story,
  who: string,
  { id, signer }: Orderer,
  {
    over = {},
    body = {},
    sign,
  }: {
    readonly over?: Partial<ApprovalWord>;
    readonly body?: Readonly<Record<string, unknown>>;
    readonly sign?: (bytes: Uint8Array) => Word;
  } = {},
): void {
  const first = approvalOf(story);
  const said = parseApproval(fromBase64(first.approval.bytes));
  const bytes = encodeApproval({ ...said, person: id, ...over });
  const enrolled = story.digest(id === story.person ? 'person' : who);
  story.record({
    step: `${who}:approval`,
    predicate: 'approval',
    place: { task: story.task, chain: 'seq' },
    subject: { name: `action:${first.action}`, sha256: first.record.sha256 },
    observed: 'gateway-observed',
    separation: { agent: 'other-uid', tool: 'other-uid' },
    body: {
      ...first,
      person: { id, enrolled },
      approval: sign?.(bytes) ?? signWord('deed-approval-v1', bytes, signer),
      ...body,
    },
  });
}

/** So many people must approve the push, each at this grade: what policy said before the approval and before the intent. */
export function asking(people: number, grade: ApprovalGrade = 'A0'): Bend {
  const steps = ['push:approval', 'push:intent'];
  return all(
    ...steps.map((step) => at(step, (draft) => put(draft.body, 'decision.quorum', { people, grade }))),
    at('second:approval', (draft) => put(draft.body, 'decision.quorum', { people, grade })),
  );
}

/** The intent of the push uses the approvals of these steps. */
export const using = (...steps: readonly string[]): Bend =>
  at('push:intent', (draft, story) =>
    put(
      draft.body,
      'approvals',
      steps.map((step) => story.digest(step)),
    ),
  );

/** The push takes two people, and a second approver signs as well: the story's first and `second`. */
export function twoApprove(
  tell: (story: Story, second: Orderer) => void = (story, second) => alsoApproves(story, 'second', second),
  kind: 'es256' | 'webauthn' = 'es256',
): Bend {
  const people = new WeakMap<Story, Orderer>();
  return all(
    asking(2),
    after('person', (story) => people.set(story, tellPerson(story, 'second', { roles: ['approver'], kind }))),
    after('push:approval', (story) => tell(story, people.get(story) as Orderer)),
    using('push:approval', 'second:approval'),
  );
}

/** The first person has a passkey, and signs everything with it. */
export function byPasskey(answering: Answering = {}): Bend {
  return all(
    at('person', ({ body }) => {
      body.key = { kind: 'webauthn', public: toBase64(actors.person.spki) };
    }),
    at('push:approval', ({ body }) => {
      body.grade = 'A2';
    }),
    inWord('policy', (word) => {
      word.sign = (domain, bytes) => passkeyWord(actors.person, domain, bytes);
    }),
    inWord('push', (word) => {
      word.sign = (domain, bytes) => passkeyWord(actors.person, domain, bytes, answering);
    }),
  );
}

/** What an edit says, where it is not as it should be. */
export interface Editing {
  readonly person?: (story: Story) => string;
  readonly arguments?: string;
  readonly reason?: string;
  readonly tool?: string;
  readonly decision?: 'reject' | 'edit';
  readonly signer?: Signer;
}

export const edited = newId('action', start);
const pushed = '{"remote":"origin","branch":"main"}';

/** Before the push an approver asks for its arguments, in an edit of another call of the same tool. */
export function editedPush(over: Editing = {}): Bend {
  const { reason = 'edited', tool = 'git_push', decision = 'edit' } = over;
  return after('opened', (story) => {
    const text = decision === 'edit' ? (over.arguments ?? pushed) : null;
    const edit = text === null ? null : story.log.payload(text, 'application/json');
    const bytes = encodeApproval({
      decision,
      origin,
      task: story.task,
      action: edited,
      record: digestOf('what was wished'),
      rendering: digestOf('what was shown'),
      person: over.person?.(story) ?? story.person,
      nonce: '00112233445566778899aabbccddeeff',
      notBefore: story.time(),
      expires: story.time(600_000),
      arguments: edit?.sha256 ?? null,
    });
    story.record({
      step: 'edited',
      predicate: 'refusal',
      place: { task: story.task, chain: 'seq' },
      subject: { name: `action:${edited}`, sha256: toHex(sha256(utf8(edited))) },
      observed: 'gateway-observed',
      body: {
        ...{ action: edited, record: null, method: 'tools/call', tool: story.toolOf(tool), reason },
        ...{ detail: 'a person asks for other arguments', authority: null, decision: null, cites: null },
        ...{ approvals: [], rejection: signWord('deed-approval-v1', bytes, over.signer ?? actors.person), edit },
      },
    });
  });
}

/** The record of the push says that a person wrote its arguments. */
export const written = (by: (story: Story) => string): Bend => ({
  record: (record, story) =>
    record.tool === 'git_push' ? { ...record, author: { person: by(story), edits: edited } } : record,
});
