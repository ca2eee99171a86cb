import { keyId, verifyEnvelope } from '../dsse.ts';
import { fromBase64 } from '../encoding.ts';
import { parseSshPublicKey } from '../ssh.ts';
import type { StatementWith } from '../statement.ts';
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
  const rootSpki = fromBase64(root.spki);
  if (root.role !== 'root' || first.statement.body.event !== 'add') {
    exam.forged('the first key-event does not add the root');
    return null;
  }
  for (const event of events) {
    if (!verifyEnvelope(event.envelope, rootSpki)) exam.forged(`${label(event)} is not signed by the root`);
    else apply(exam, event);
  }
  checkParties(exam);
  return `${exam.keys.size} keys under root ${keyId(rootSpki)}`;
}

function apply(exam: Examination, event: Logged<StatementWith<'key-event'>>): void {
  const { event: what, key, from } = event.statement.body;
  const spki = fromBase64(key.spki);
  const known = exam.keys.get(key.keyid);
  if (keyId(spki) !== key.keyid || event.statement.subject.sha256 !== key.keyid) {
    exam.forged(`${label(event)}: the key's id is not the digest of the key`);
  } else if (what === 'add') {
    if (known) exam.forged(`${label(event)}: the key has a role already`);
    if (key.role === 'root' && event.statement.position.n !== 0) exam.forged(`${label(event)}: a second root`);
    const start = Math.max(from, event.index);
    exam.keys.set(key.keyid, { role: key.role, spki, vkey: key.vkey, from: start, until: Number.POSITIVE_INFINITY });
  } else if (!known || known.role !== key.role) {
    exam.forged(`${label(event)}: it ends a key that has no such role`);
  } else {
    exam.keys.set(key.keyid, { ...known, until: Math.min(known.until, from) });
  }
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
  for (const logged of exam.all('person-enrolled')) {
    const { kind, public: key } = logged.statement.body.key;
    add(logged, () => (kind === 'es256' ? fromBase64(key) : parseSshPublicKey(fromBase64(key)).spki));
  }
}
