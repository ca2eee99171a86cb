import { actors, roleKey } from '../../support/actors.ts';
import { after, type BentCases, set, signedBy } from '../../support/bends.ts';
import { tellKey } from '../../support/key-events.ts';

export const keys: BentCases = {
  'a key-event that the root did not sign': {
    bend: signedBy('key:token', actors.receipt),
    check: 'keys',
    says: /not signed by the root/,
  },
  'a key with two roles': {
    bend: after('key:token', (story) => tellKey(story, { ...roleKey('registrar'), role: 'receipt' })),
    check: 'keys',
    says: /has a role already/,
  },
  'a second root': {
    bend: after('key:token', (story) => tellKey(story, roleKey('root', actors.stranger))),
    check: 'keys',
    says: /second root/,
  },
  'a key under an id that is not its own': {
    bend: set('key:token', 'key.spki', roleKey('token', actors.stranger).spki),
    check: 'keys',
    says: /not the digest of the key/,
  },
  'a series of keys that does not begin with a root': {
    bend: set('key:root', 'key.role', 'receipt'),
    check: 'keys',
    says: /does not add the root/,
  },
};
