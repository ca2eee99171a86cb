import { actors, roleKey } from '../../support/actors.ts';
import { after, at, type BentCases, signedBy } from '../../support/bends.ts';
import { tellKey } from '../../support/key-events.ts';

export const signatures: BentCases = {
  'an enrolment by the receipt key': {
    bend: signedBy('person', actors.receipt),
    check: 'signatures',
    says: /signed by a receipt key, must be registrar/,
  },
  'an intent by the registrar': {
    bend: signedBy('write:intent', actors.registrar),
    check: 'signatures',
    says: /signed by a registrar key, must be receipt/,
  },
  'an outcome by the token key': {
    bend: signedBy('write:outcome', actors.token),
    check: 'signatures',
    says: /must be receipt/,
  },
  'a task opened by the root': {
    bend: signedBy('opened', actors.root),
    check: 'signatures',
    says: /must be receipt/,
  },
  'an intent by the agent itself': {
    bend: signedBy('write:intent', actors.agent),
    check: 'signatures',
    says: /without a role/,
  },
  'a statement by nobody in particular': {
    bend: signedBy('closed', actors.stranger),
    check: 'signatures',
    says: /without a role/,
  },
  'a statement by a key that had ended': {
    bend: after('opened', (story) => tellKey(story, roleKey('receipt'), 'end', story.log.size)),
    check: 'signatures',
    says: /not in force/,
  },
  'a statement by a key after it was compromised': {
    bend: after('closed', (story) => tellKey(story, roleKey('receipt'), 'compromised', 20)),
    check: 'signatures',
    says: /compromised by then/,
  },
  'a signature that fails': {
    bend: at('closed', (draft) => {
      draft.signer = { ...actors.receipt, sign: actors.stranger.sign };
    }),
    check: 'signatures',
    says: /signature fails/,
  },
};
