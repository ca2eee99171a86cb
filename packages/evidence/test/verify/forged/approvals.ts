import { toBase64 } from '../../../src/encoding.ts';
import { newId } from '../../../src/ids.ts';
import { actors, newSigner } from '../../support/actors.ts';
import { alsoApproves, asking, byPasskey, editedPush, twoApprove, using, written } from '../../support/approvals.ts';
import { after, all, at, type BentCases, inApproval, set } from '../../support/bends.ts';
import { passkeyWord } from '../../support/passkeys.ts';
import { first, tellPerson } from '../../support/people.ts';
import { start } from '../../support/props.ts';
import type { Bend, Story } from '../../support/story.ts';

const passkey = (answering: Parameters<typeof byPasskey>[0], says: RegExp) => ({
  bend: byPasskey(answering),
  check: 'people',
  says,
});
/** The second approver wrote the arguments, or the first one did. */
const firstWrote = written((story) => story.person);
const secondApproves = all(
  asking(1),
  after('person', (story) => void tellPerson(story, 'second', { roles: ['approver'] })),
);
const principalIs = (id: (story: Story) => string): Bend => ({
  principal: (principal, story) => ({ ...principal, id: id(story) }),
});

/** What people did not sign, did not see, or should not have judged. */
export const approvals: BentCases = {
  'a passkey’s answer to another challenge': passkey({ client: { challenge: 'AAAA' } }, /answers another challenge/),
  'a passkey’s registration for an answer': passkey(
    { client: { type: 'webauthn.create' } },
    /not of a request to sign/,
  ),
  'a passkey’s answer inside a page of another site': passkey({ client: { crossOrigin: true } }, /a page of its own/),
  'a passkey’s answer in a frame of another site': passkey(
    { client: { topOrigin: 'https://other.example' } },
    /a page of its own/,
  ),
  'a passkey of another site': passkey({ host: 'other.example' }, /of another site than the page/),
  'a passkey’s answer on the page of another site': passkey(
    { client: { origin: 'https://other.example' } },
    /of another site than the page/,
  ),
  'a passkey’s answer from no site at all': passkey({ client: { origin: 'android:apk-key-hash:x' } }, /is no site/),
  'a passkey that verified nobody': passkey({ flags: 0x01 }, /was not verified/),
  'a passkey that nobody touched': passkey({ flags: 0x04 }, /was not verified/),
  'a passkey that is synced and may not be': passkey({ flags: 0x15 }, /synced and may not be/),
  'a passkey’s answer with an extension': passkey({ flags: 0x85, more: Uint8Array.of(0xa0) }, /no extension/),
  'a passkey’s answer with client data that says a thing twice': passkey(
    { clientText: (text) => text.replace('{', '{"type":"webauthn.get",') },
    /twice|duplicate/,
  ),
  'a passkey’s answer by another key': passkey({ signer: actors.stranger }, /the signature fails/),
  'a word of the passkey’s key that no passkey signed': {
    bend: at('person', ({ body }) => {
      body.key = { kind: 'webauthn', public: toBase64(actors.person.spki) };
    }),
    check: 'people',
    says: /not the person's/,
  },
  'a passkey that was enrolled as a plain key': {
    bend: all(
      byPasskey(),
      at('person', ({ body }) => {
        body.key = { kind: 'es256', public: toBase64(actors.person.spki) };
      }),
    ),
    check: 'people',
    says: /not the person's/,
  },
  'an approval that calls itself stronger than it is': {
    bend: set('push:approval', 'grade', 'A2'),
    check: 'people',
    says: /its grade is not what its rule says/,
  },
  'an approval that calls itself out of the agent’s reach, where both are one user': {
    bend: at('push:approval', (draft) => {
      draft.header.separation = { agent: 'same-uid', tool: 'other-uid' };
    }),
    check: 'people',
    says: /its grade is not what its rule says/,
  },
  'a weaker approval than policy asks for': {
    bend: asking(1, 'A2'),
    check: 'actions',
    says: /only of grade A1/,
  },
  'fewer approvals than policy asks for': {
    bend: asking(2),
    check: 'actions',
    says: /with 1 approvals; asked for are 2/,
  },
  'two approvals of one person': {
    bend: twoApprove((story) => alsoApproves(story, 'second', first(story))),
    check: 'actions',
    says: /not of as many people and keys/,
  },
  'two approvals under one key': {
    bend: twoApprove((story, { id }) => alsoApproves(story, 'second', { id, signer: actors.person })),
    check: 'people',
    says: /not the person's/,
  },
  'one approval named twice': {
    bend: all(asking(2), using('push:approval', 'push:approval')),
    check: 'actions',
    says: /used before/,
  },
  'two people who were shown two things': {
    bend: twoApprove((story, second) => {
      const rendering = story.log.payload('push 1 commit, says the second page', 'text/plain');
      alsoApproves(story, 'second', second, { over: { rendering: rendering.sha256 }, body: { rendering } });
    }),
    check: 'actions',
    says: /not shown the same/,
  },
  'two approvals, of which one is for another record': {
    bend: twoApprove((story, second) => {
      const record = story.log.payload('another record', 'application/vnd.deed.action+json');
      alsoApproves(story, 'second', second, { over: { record: record.sha256 }, body: { record } });
    }),
    check: 'actions',
    says: /approval is for another action/,
  },
  'an intent after the end of its approval': {
    bend: inApproval(({ notBefore }) => ({ expires: new Date(Date.parse(notBefore) + 1000).toISOString() })),
    check: 'actions',
    says: /begun after its approval ended/,
  },
  'tier approve without a rule of approval': {
    bend: set('push:intent', 'decision.quorum', null),
    check: 'actions',
    says: /tier approve and no quorum/,
  },
  'an approval by the one for whom the task is': {
    bend: principalIs((story) => story.person),
    check: 'actions',
    says: /approved, and the task is on behalf of that person/,
  },
  'an approval by the owner of the agent': {
    bend: set('agent', 'owner', (story: Story) => story.person),
    check: 'actions',
    says: /approved, and is the owner of an agent that acts here/,
  },
  'an approval by the one who wrote the arguments': {
    bend: all(editedPush(), firstWrote),
    check: 'actions',
    says: /approved, and wrote its arguments/,
  },
  'arguments by an edit that asks for others': {
    bend: all(secondApproves, editedPush({ arguments: '{"remote":"origin","branch":"other"}' }), firstWrote),
    check: 'actions',
    says: /not those of the edit/,
  },
  'arguments by an edit of another tool': {
    bend: all(editedPush({ tool: 'write_file' }), firstWrote),
    check: 'actions',
    says: /another tool was edited/,
  },
  'arguments of which another person is called the author': {
    bend: all(
      editedPush(),
      written((story) => story.requester),
    ),
    check: 'actions',
    says: /not written by who is named/,
  },
  'an edit that is only a rejection': {
    bend: editedPush({ decision: 'reject' }),
    check: 'people',
    says: /the word does not say edited/,
  },
  'a rejection that is an edit': {
    bend: editedPush({ reason: 'rejected' }),
    check: 'people',
    says: /the word does not say rejected/,
  },
  'an edit by somebody who was never enrolled': {
    bend: editedPush({ person: () => newId('person', start), signer: newSigner() }),
    check: 'people',
    says: /is not enrolled in this case/,
  },
  'a passkey’s answer to the word of another purpose': {
    bend: all(byPasskey(), {
      word: (word) => {
        if (word.step === 'push') word.sign = (_, bytes) => passkeyWord(actors.person, 'deed-hold-v1', bytes);
      },
    }),
    check: 'people',
    says: /answers another challenge/,
  },
};
