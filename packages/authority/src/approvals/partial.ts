import type { Admitted, Proposal } from '../actions/proposal.ts';
import type { Agents } from '../agents.ts';
import type { Ground } from '../ground.ts';
import { decodePrincipal } from '../tasks/task.ts';
import { contentOf } from '../vault/vault.ts';

/**
 * Why a person is no judge of an action: it is his own. Null if nothing says so. The verifier asks the same of a case
 * (docs/formats/checks.md, "actions").
 */
export function whyPartial(
  { vault }: Ground,
  agents: Agents,
  { task, agent, hops }: Admitted,
  { record }: Proposal,
  person: string,
): string | null {
  const bytes = contentOf(vault, task.principal);
  const principal = bytes && decodePrincipal(bytes);
  if (principal?.kind === 'person' && principal.id === person) return 'the task is on your own behalf';
  const line = [task.agent, agent?.id ?? null, ...hops.map(({ delegate }) => delegate)];
  const owners = line.map((id) => (id === null ? null : (agents.get(id)?.owner ?? null)));
  if (owners.includes(person)) return 'you are the owner of an agent that acts here';
  return record.author?.person === person ? 'you wrote its arguments yourself' : null;
}
