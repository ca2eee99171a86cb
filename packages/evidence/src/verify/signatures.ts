import { verifyEnvelope } from '../dsse.ts';
import { holdsAt } from '../role-keys.ts';
import { signerRole } from '../signers.ts';
import { type Examination, label } from './examination.ts';

/** Each statement must be signed by a key that has the role for it at its place in the log. */
export function checkSignatures(exam: Examination): string | null {
  let checked = 0;
  for (const logged of exam.statements) {
    const { statement, envelope, index } = logged;
    if (statement.predicate === 'key-event') continue; // signed by the root: checked with the keys
    const role = signerRole(statement.predicate);
    const key = exam.keys.get(envelope.keyid);
    if (!key) exam.forged(`${label(logged)}: signed by a key without a role`);
    else if (key.role !== role) exam.forged(`${label(logged)}: signed by a ${key.role} key, must be ${role}`);
    else if (!holdsAt(key, index)) {
      const why = key.compromised && index >= key.until ? 'was compromised by then' : 'was not in force there';
      exam.forged(`${label(logged)}: the ${role} key ${why}`);
    } else if (!verifyEnvelope(envelope, key.spki)) exam.forged(`${label(logged)}: the signature fails`);
    else checked++;
  }
  return `${checked} signatures by the role that may`;
}
