import { formatVkey } from '@deed/evidence';
import { type LogKeys, noteSigner } from '@deed/ledger';
import { hasKey, type KeyReader, next, plainKeys } from './key-files.ts';

const logKeys = [
  ['log-ed25519', 0x01],
  ['log-ml-dsa-44', 0x06],
] as const;

/** The log's keys, with those that are about to take their place. @throws AuthorityError key, LedgerError key */
export function readLogKeys(dir: string, origin: string, read: KeyReader = plainKeys(dir)): LogKeys {
  const signers = logKeys.flatMap(([name, type]) =>
    [name, next(name)]
      .filter((one) => one === name || hasKey(dir, one))
      .map((one) => noteSigner(origin, type, read(one))),
  );
  return { origin, signers, vkeys: signers.map(({ key }) => formatVkey(key)) };
}
