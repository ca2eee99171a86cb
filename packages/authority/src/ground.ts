import type { Separation } from '@deed/evidence';
import type { Draft, Ledger, Recorded } from '@deed/ledger';
import type { Database } from '@deed/store';
import type { Clock } from './clock.ts';
import type { ServerKeys } from './keys/key-folder.ts';
import type { Vault } from './vault/vault.ts';

/** What every part of this room stands on. */
export interface Ground {
  /** The data folder. */
  readonly dir: string;
  readonly origin: string;
  readonly db: Database;
  /** For reading; what is said goes through {@link Ground.record}. */
  readonly ledger: Ledger;
  /** Records a statement of this room, and with it the payloads that wait in the vault. */
  readonly record: (draft: Draft) => Recorded;
  readonly clock: Clock;
  readonly keys: ServerKeys;
  readonly vault: Vault;
  /** Ids of all keys that have a holder: one key is never that of two parties. */
  readonly holders: Set<string>;
}

/** The door of this room into the log. */
export function recordWith(ledger: Ledger, vault: Vault): Ground['record'] {
  return (draft) => {
    const staged = vault.takeStaged();
    const apply: Draft['apply'] = (tx, entry) => {
      staged.write(tx);
      draft.apply?.(tx, entry);
    };
    try {
      return ledger.record({ ...draft, apply });
    } catch (error) {
      staged.giveBack();
      throw error;
    }
  };
}

/** The header of what the server itself does: it saw its own act, and nobody else took part. */
export const serverAct = {
  observed: 'gateway-executed',
  separation: { agent: 'none', tool: 'none' } satisfies Separation,
} as const;

/**
 * The SPIFFE trust domain of a deployment, from its log's origin: its parts from
 * the last to the first, so that `deed.local/3f9a12c4` gives `3f9a12c4.deed.local`, and a host name itself.
 * (SPIFFE-ID section 2.1: lower-case letters, digits, dots, dashes, underscores.)
 */
export function trustDomainOf(origin: string): string {
  return origin
    .toLowerCase()
    .split('/')
    .filter((part) => part !== '')
    .reverse()
    .join('.')
    .replace(/[^a-z0-9._-]/g, '-');
}
