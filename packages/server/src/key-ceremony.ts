import {
  type FileSigner,
  isSealed,
  openKeys,
  prepareKey,
  type Rotation,
  readLogKeys,
  readServerKeys,
  recordRotation,
  roleKeysOf,
  type Sealing,
  type ServerKeyName,
  sealKeys,
  settleKeys,
  systemClock,
  unsealKeys,
} from '@deed/authority';
import { parseStatement, type RoleKey } from '@deed/evidence';
import { type Ledger, openLedger, readSeries, trustLog } from '@deed/ledger';
import { lockFolder, openReadOnly } from '@deed/store';
import { ledgerSettings, readConfig } from './config.ts';
import { migrations } from './deployment.ts';
import { trustFileOf } from './trust-file.ts';
import { localWitness } from './witness-child.ts';

export interface KeyCeremony {
  /** The data folder; no server may have it open. */
  readonly dir: string;
  readonly key: ServerKeyName;
  /** The deployment's root. */
  readonly root: FileSigner;
  /** Tree size from which the old key is not to be believed; null if nobody else had it. */
  readonly compromisedFrom: number | null;
  /** Opens the deployment's other keys, where they are sealed; the new one is sealed by it too. */
  readonly keyPassphrase?: string | undefined;
  readonly witnessCommand: (stateFolder: string) => readonly string[];
}

export interface Rotated extends Rotation {
  /** The trust file as it is from now on. */
  readonly trustFile: string;
  /** Vkeys of the log from now on. */
  readonly vkeys: readonly string[];
  /** How many statements of each kind lose their signature by the compromise. */
  readonly disbelieved: Readonly<Record<string, number>>;
}

/**
 * Exchanges one key of a deployment whose server stands still: makes the new one, lets the root say so in the log, and puts it
 * in its place. A crash in the middle is settled at the next start.
 * @throws StoreError locked (stop the server first), AuthorityError key, ServerError config, witness; LedgerError
 */
export async function rotateKey(ceremony: KeyCeremony): Promise<Rotated> {
  const { dir, key, root, compromisedFrom } = ceremony;
  const config = readConfig(dir);
  settleKeys(dir);
  const keyReader = await openKeys(dir, ceremony.keyPassphrase);
  const witness = await localWitness(config.witness.state, ceremony.witnessCommand(config.witness.state));
  try {
    const ledger = await openLedger({
      folder: dir,
      logKeys: readLogKeys(dir, config.origin, keyReader),
      signer: readServerKeys(dir, keyReader).receipt,
      migrations,
      ...ledgerSettings(config, witness.url),
      clock: () => systemClock.now(),
    });
    let rotated: Rotated;
    try {
      await ledger.ready;
      await prepareKey(dir, key, isSealed(dir) ? { passphrase: ceremony.keyPassphrase ?? '' } : null);
      const rotation = await recordRotation(dir, key, { ledger, root, compromisedFrom });
      const keys = roleKeysOf(ledger.series('keys'));
      rotated = {
        ...rotation,
        trustFile: trustFileOf(keys, config),
        vkeys: [...keys.values()].flatMap(({ vkey, until }) =>
          vkey && until === Number.POSITIVE_INFINITY ? [vkey] : [],
        ),
        disbelieved: disbelievedBy(ledger, rotation),
      };
    } finally {
      await ledger.close();
    }
    settleKeys(dir);
    if (rotated.added.vkey !== null) {
      trustLog(config.witness.state, { origin: config.origin, vkeys: rotated.vkeys, replace: true });
    }
    return rotated;
  } finally {
    await witness.stop();
  }
}

export interface KeyView extends RoleKey {
  /** Hex SHA-256 of the SPKI. */
  readonly keyid: string;
}

/** The keys of a deployment as its log names them; also while its server runs. @throws StoreError absent, AuthorityError key */
export function listKeys(dir: string): readonly KeyView[] {
  const database = openReadOnly(dir);
  try {
    const keys = roleKeysOf(readSeries(database, 'keys', 0, Number.MAX_SAFE_INTEGER));
    return [...keys].map(([keyid, key]) => ({ keyid, ...key }));
  } finally {
    database.close();
  }
}

function disbelievedBy(ledger: Ledger, { ended, compromisedFrom }: Rotation): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (let index = compromisedFrom ?? ledger.size; index < ledger.size; index++) {
    const envelope = ledger.entry(index)?.envelope;
    if (envelope?.keyid !== ended.keyid) continue;
    const { predicate } = parseStatement(envelope.payload);
    counts[predicate] = (counts[predicate] ?? 0) + 1;
  }
  return counts;
}

/** Seals the keys of a deployment whose server stands still, or opens them for good. @throws StoreError locked, AuthorityError passphrase */
export async function setSealed(dir: string, sealed: boolean, seal: Sealing): Promise<void> {
  settleKeys(dir);
  const lock = lockFolder(dir);
  try {
    await (sealed ? sealKeys(dir, seal) : unsealKeys(dir, seal.passphrase));
  } finally {
    lock.release();
  }
}
