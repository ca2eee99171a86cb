import { newSigner } from '../../support/actors.ts';
import { alsoApproves, asking, byPasskey, editedPush, twoApprove, using, written } from '../../support/approvals.ts';
import { after, all, set } from '../../support/bends.ts';
import { passkeyWord } from '../../support/passkeys.ts';
import { type Orderer, tellPerson } from '../../support/people.ts';
import type { Story } from '../../support/story.ts';
import { refuse } from '../../verify/operator/slipped-in.ts';
import type { HonestCases } from '../example.ts';
import { parts } from './tasks.ts';

/** What people approved, rejected and edited as they should. */
export const approved: HonestCases = {
  'an approval by a passkey': { bend: all(parts('push'), byPasskey(), asking(1, 'A2')) },
  'an approval by a passkey that is synced, on a machine of its own': {
    bend: all(
      parts('push'),
      byPasskey({ flags: 0x1d, host: 'localhost', client: { origin: 'http://localhost:7080' } }),
    ),
  },
  'an approval by a passkey in a browser that says more': {
    bend: all(
      parts('push'),
      byPasskey({ client: { crossOrigin: undefined, other_keys_can_be_added_here: 'do not compare' } }),
    ),
  },
  'an action that two people approved': { bend: all(parts('push'), twoApprove()) },
  'an action that one approved with an own key and one with a passkey': {
    bend: all(
      parts('push'),
      twoApprove(
        (story, second) =>
          alsoApproves(story, 'second', second, {
            sign: (bytes) => passkeyWord(second.signer, 'deed-approval-v1', bytes),
            body: { grade: 'A2' },
          }),
        'webauthn',
      ),
    ),
  },
  'an approval of which the browser told how long it was read': {
    bend: all(parts('push'), set('push:approval', 'reported', { shownMs: 12_500, seenPercent: 100 })),
  },
  'more approvals than policy asks for': { bend: all(parts('push'), twoApprove(), asking(1)) },
  'an action whose agent has an owner, who did not judge it': {
    bend: all(
      parts('push'),
      set('agent', 'owner', (story: Story) => story.requester),
    ),
  },
  'arguments that one person wrote and another approved': { bend: all(parts('push'), editedByOther()) },
  'a second approval that nobody gave any more': {
    bend: all(
      parts('push'),
      after('push:approval', (story) => {
        refuse(story, 'other', { reason: 'expired', detail: 'nobody answered in time' });
      }),
      using('push:approval'),
    ),
  },
};

/** The author is an approver of his own: the first person approves what the author asked for. */
function editedByOther() {
  const authors = new WeakMap<Story, Orderer>();
  const authorOf = (story: Story): Orderer => authors.get(story) as Orderer;
  const signer = newSigner();
  return all(
    after('person', (story) => authors.set(story, tellPerson(story, 'author', { roles: ['approver'], signer }))),
    editedPush({
      person: (story) => authorOf(story).id,
      signer,
      arguments: '{ "branch": "main", "remote": "origin" }',
    }),
    written((story) => authorOf(story).id),
  );
}
