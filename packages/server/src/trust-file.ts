import { formatTrust, parseVkey } from '@deed/evidence';
import type { Ledger } from '@deed/ledger';
import type { Config } from './config.ts';

/** Default `max-age` of the trust files that we hand out: 400 days. */
const maxAgeSeconds = 400 * 86_400;

/** The trust file of a deployment. `root`: hex SHA-256 of the root's SPKI. */
export function trustFileOf(ledger: Pick<Ledger, 'vkeys'>, { witness }: Config, root: string): string {
  return formatTrust({
    logs: ledger.vkeys.map((vkey) => ({ key: parseVkey(vkey) })),
    witnesses: [{ name: witness.name, key: parseVkey(witness.vkey) }],
    groups: [],
    quorum: witness.name,
    root,
    tsas: [],
    maxAgeSeconds,
  });
}
