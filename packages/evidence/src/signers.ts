import type { KeyRole, PredicateName } from './predicates.ts';

/** Which role signs which predicate, and no other (docs/formats/signers.md). */
export function signerRole(predicate: PredicateName): KeyRole {
  if (predicate === 'key-event') return 'root';
  if (predicate === 'agent-enrolled' || predicate === 'person-enrolled' || predicate === 'person-changed')
    return 'registrar';
  return 'receipt';
}
