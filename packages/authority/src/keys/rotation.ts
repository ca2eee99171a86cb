import * as crypto from 'node:crypto';
import { keyId, type RoleKey } from '@deed/evidence';
import { type Ledger, readSeries, replaceLogKey } from '@deed/ledger';
import { lockFolder, openReadOnly, type ReadDatabase } from '@deed/store';
import { AuthorityError } from '../errors.ts';
import { serverAct } from '../ground.ts';
import type { FileSigner } from './file-signer.ts';
import {
  createKey,
  dropKey,
  hasKey,
  next,
  publicKeyOf,
  type Sealing,
  type ServerKeyName,
  serverKeyNames,
  takeOver,
} from './key-files.ts';
import { type KeyOfEvent, keyOfEvent } from './key-of-event.ts';
import { spkiOf } from './p256.ts';
import { roleKeysOf } from './role-keys.ts';

export interface Rotation {
  readonly ended: KeyOfEvent;
  readonly added: KeyOfEvent;
  /** Log index from which the old key is not to be believed; null: it served to its end. */
  readonly compromisedFrom: number | null;
  /** The size from which the new key signs. */
  readonly size: number;
}

/** Makes the key that is to come, beside the present one. It counts for nothing until {@link recordRotation} has named it. */
export async function prepareKey(dir: string, name: ServerKeyName, seal: Sealing | null = null): Promise<void> {
  dropKey(dir, next(name));
  const { privateKey } = isLogKey(name)
    ? crypto.generateKeyPairSync(name === 'log-ed25519' ? 'ed25519' : ('ml-dsa-44' as 'ed25519'))
    : crypto.generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  await createKey(dir, next(name), privateKey, seal);
}

/**
 * Records that the prepared key takes the place of the present one: two key-events, signed by the root, and nothing after
 * them under the old key. Published when this returns.
 * @throws AuthorityError key (not the root of this deployment, or a compromise from an index that does not exist)
 */
export async function recordRotation(
  dir: string,
  name: ServerKeyName,
  { ledger, root, compromisedFrom = null }: { ledger: Ledger; root: FileSigner; compromisedFrom?: number | null },
): Promise<Rotation> {
  const keys = roleKeysOf(ledger.series('keys'));
  if (keys.get(root.keyid)?.role !== 'root') {
    throw new AuthorityError('key', 'this is not the root key of this deployment: only its root changes keys');
  }
  if (compromisedFrom !== null && compromisedFrom > ledger.size) {
    throw new AuthorityError(
      'key',
      `the log holds ${ledger.size} entries: nothing was signed from ${compromisedFrom} on`,
    );
  }
  const ended = keyOfEvent(roleOf(name), publicKeyOf(dir, name), ledger.origin);
  const added = keyOfEvent(roleOf(name), publicKeyOf(dir, next(name)), ledger.origin);
  const size = ledger.size + 2;
  const event = (what: 'add' | 'end' | 'compromised', key: KeyOfEvent, from: number, isLast: boolean) =>
    ledger.record({
      ...serverAct,
      predicate: 'key-event',
      place: { series: 'keys' },
      subject: { name: `key:${key.keyid}`, sha256: key.keyid },
      body: { event: what, key, from },
      signer: root,
      apply: (tx) => {
        if (isLast && ended.vkey && added.vkey) replaceLogKey(tx, ended.vkey, added.vkey, size);
      },
    });
  // A log key signs up to the checkpoint that shows its end; from the next size on the new one does.
  const from = isLogKey(name) ? size : 0;
  const first = event('add', added, from, false);
  const last =
    compromisedFrom === null ? event('end', ended, from, true) : event('compromised', ended, compromisedFrom, true);
  await Promise.all([first.durable, last.durable]);
  await last.published();
  return { ended, added, compromisedFrom, size };
}

/**
 * Puts prepared keys that the log knows in the place of the old ones, and drops those that it never heard of: what a rotation
 * leaves to be done, at its end or after a crash in its middle. Before the folder is opened.
 * @throws StoreError locked
 */
export function settleKeys(dir: string): void {
  const waiting = serverKeyNames.filter((name) => hasKey(dir, next(name)));
  if (waiting.length === 0) return;
  const lock = lockFolder(dir);
  const database = openReadOnly(dir);
  try {
    const keys = roleKeysOf(readSeries(database, 'keys', 0, Number.MAX_SAFE_INTEGER));
    for (const name of waiting) {
      const known = keys.get(keyId(spkiOf(publicKeyOf(dir, next(name)))));
      if (known && isLogKey(name) && !isPublished(database, known)) continue; // the old one has a last checkpoint to sign
      if (known) takeOver(dir, name);
      else dropKey(dir, next(name));
    }
  } finally {
    database.close();
    lock.release();
  }
}

function isPublished(database: ReadDatabase, { from }: RoleKey): boolean {
  return (database.get<{ size: number }>('SELECT max(size) AS size FROM checkpoint')?.size ?? 0) >= from;
}

/** The role that a key file holds. */
export function roleOf(name: ServerKeyName): KeyOfEvent['role'] {
  return name === 'log-ed25519' || name === 'log-ml-dsa-44' ? 'log' : name;
}

function isLogKey(name: ServerKeyName): boolean {
  return roleOf(name) === 'log';
}
