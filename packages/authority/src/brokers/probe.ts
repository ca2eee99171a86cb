import { AuthorityError } from '../errors.ts';
import type { CredentialBroker, Secret } from './broker.ts';

/** Whether the target still takes a credential; null where it did not say, or nobody speaks to it any more. */
export async function probeCredential(
  broker: CredentialBroker | undefined,
  id: string,
  secret: Secret,
): Promise<boolean | null> {
  if (!broker) return null;
  try {
    return !(await broker.probe(id, secret)).refused;
  } catch (error) {
    if (error instanceof AuthorityError && error.code === 'broker') return null;
    throw error;
  }
}
