import { openPayload } from '../payload.ts';
import { heldRefs } from '../payload-refs.ts';
import type { Tier } from '../predicates.ts';
import { type Examination, type Logged, label } from './examination.ts';

/** Each payload object hashes to its name and has the stated size; those that the tier demands are here. */
export function checkPayloads(exam: Examination): string | null {
  let held = 0;
  for (const [name, object] of exam.members) {
    if (!name.startsWith('payloads/')) continue;
    held++;
    exam.attempt(name, () => openPayload(object, name.slice('payloads/'.length)));
  }
  const left = new Map(exam.exported?.statement.body.left.map((entry) => [entry.payload, entry]));
  const tierOfAction = new Map(exam.all('intent').map(({ statement }) => [statement.body.action, statement.body.tier]));
  for (const logged of exam.statements) {
    for (const ref of heldRefs(logged.statement, (held) => exam.payload(held))) {
      const bytes = exam.payload(ref);
      if (bytes && bytes.length !== ref.size) exam.forged(`${label(logged)}: payload ${ref.sha256} has another size`);
      if (bytes) continue;
      const named = left.get(ref.sha256);
      if (ref.kept && !named)
        exam.incomplete(`${label(logged)}: payload ${ref.sha256} is not here and not named as left out`);
      else if (named?.how === 'erased') {
        // A layer says that it is missing, who erased it and why: an erasure that is stated leaves the case complete.
        if (!exam.erased.has(ref.sha256))
          exam.incomplete(`payload ${ref.sha256} is called erased, but no statement of its task erased it`);
      } else if (demanded(logged, tierOfAction))
        exam.incomplete(`${label(logged)}: payload ${ref.sha256} is not here, its tier demands it`);
    }
  }
  return `${held} payloads`;
}

function demanded({ statement }: Logged, tierOfAction: ReadonlyMap<string, Tier>): boolean {
  const tier = 'action' in statement.body ? tierOfAction.get(statement.body.action) : undefined;
  return tier === 'attest' || tier === 'approve';
}
