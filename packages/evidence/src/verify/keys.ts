import { keyId } from '../dsse.ts';
import { fromBase64 } from '../encoding.ts';
import { followKeyEvents, type RoleKey } from '../role-keys.ts';
import { spkiOfPerson } from '../word.ts';
import { type Examination, type Logged, label } from './examination.ts';

/** Follows the key-events from the root on and gives each key its one role. */
export function checkKeys(exam: Examination): string | null {
  const events = exam.all('key-event').toSorted((a, b) => a.statement.position.n - b.statement.position.n);
  const first = events[0];
  if (first?.statement.position.n !== 0) {
    exam.incomplete('the series keys does not begin with the root');
    return null;
  }
  const root = first.statement.body.key;
  if (root.role !== 'root' || first.statement.body.event !== 'add') {
    exam.forged('the first key-event does not add the root');
    return null;
  }
  const keys = followKeyEvents(events, (event, why) => exam.forged(`${label(event)}: ${why}`));
  for (const [keyid, key] of keys) exam.keys.set(keyid, distrusted(exam, keyid, key));
  checkParties(exam);
  return `${exam.keys.size} keys under root ${root.keyid}`;
}

/** A trust file may know of a compromise that this case is too old to tell of. */
function distrusted(exam: Examination, keyid: string, key: RoleKey): RoleKey {
  const line = exam.options.trust?.compromised.find((known) => known.keyid === keyid);
  return line ? { ...key, until: Math.min(key.until, line.from), compromised: true } : key;
}

/** Who signs is not who acts: a key of the server is nobody's, and no two agents or people share one. */
function checkParties(exam: Examination): void {
  const holders = new Map([...exam.keys].map(([keyid, { role }]) => [keyid, `the ${role} key`]));
  const add = (logged: Logged, spki: () => Uint8Array) => {
    const keyid = exam.attempt(label(logged), () => keyId(spki()));
    if (keyid === undefined) return;
    const holder = holders.get(keyid);
    if (holder) exam.forged(`${label(logged)}: one key for two parties, it is ${holder} too`);
    holders.set(keyid, `that of ${logged.statement.subject.name}`);
  };
  for (const logged of exam.all('agent-enrolled')) add(logged, () => fromBase64(logged.statement.body.key.spki));
  for (const logged of exam.all('person-enrolled')) add(logged, () => spkiOfPerson(logged.statement.body.key));
  for (const logged of exam.all('person-changed')) {
    const { change } = logged.statement.body;
    if (change.kind === 'key-added') add(logged, () => spkiOfPerson(change.key));
  }
}
