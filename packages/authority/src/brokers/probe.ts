import type { CredentialBroker } from './broker.ts';

/** What a broker may have besides: it tries a credential at its target. */
interface Probing {
  /** True if the target still takes it. */
  readonly probe?: (id: string, secret: string) => Promise<boolean>;
}

/** Whether the target still takes a credential; null where the broker cannot tell. */
export async function probeCredential(
  broker: (CredentialBroker & Probing) | undefined,
  id: string,
  secret: string,
): Promise<boolean | null> {
  return (await broker?.probe?.(id, secret)) ?? null;
}
