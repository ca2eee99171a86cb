import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parseStrictJson, type RoleKey, randomBytes, toHex, utf8 } from '@deed/evidence';
import { type Ledger, openLedger } from '@deed/ledger';
import { createNew, makeFolder, openObjects } from '@deed/store';
import { z } from 'zod';
import { openAuthority } from './authority.ts';
import { type Clock, systemClock } from './clock.ts';
import { AuthorityError } from './errors.ts';
import { serverAct } from './ground.ts';
import { type FileSigner, keySigner } from './keys/file-signer.ts';
import { publicKeyOf, serverKeyNames } from './keys/key-files.ts';
import { createServerKeys, readServerKeys } from './keys/key-folder.ts';
import { type KeyOfEvent, keyOfEvent } from './keys/key-of-event.ts';
import { readLogKeys } from './keys/log-key-files.ts';
import { newP256 } from './keys/p256.ts';
import { keyPersonSigner, type PersonSigner } from './keys/person-signer.ts';
import { roleKeysOf } from './keys/role-keys.ts';
import { roleOf } from './keys/rotation.ts';
import { type SealOptions, writeSealedKey } from './keys/sealed-key.ts';
import { checkBundle } from './policy/bundle.ts';
import { defaultPolicyFolder } from './policy/default.ts';
import { authorityMigrations } from './schema.ts';

export interface InitOptions {
  /** The data folder: absent or empty. */
  readonly dir: string;
  /** The log's name, for ever. Default `<8 random hex>.deed.local`. */
  readonly origin?: string;
  /** Seals the root key and the first person's key. */
  readonly passphrase: string;
  /** Where the sealed root key goes: outside the data folder, to be taken offline. */
  readonly rootFile: string;
  /** Where a new key for the first person goes, sealed, outside the data folder too. */
  readonly personFile?: string;
  /** The key that the first person has already, for instance in an ssh-agent, instead of a new one. */
  readonly personSigner?: PersonSigner;
  /** How this deployment calls the first person; never in the log. */
  readonly personLabel?: string;
  readonly policyFolder?: string;
  readonly waiverDays?: number;
  readonly clock?: Clock;
  /** Lower than the default only in tests. */
  readonly scryptCost?: number;
}

export interface Initialized {
  readonly origin: string;
  /** Hex SHA-256 of the root's SPKI: what a trust file names. */
  readonly root: string;
  readonly vkeys: readonly string[];
  /** The deployment's keys, by id. */
  readonly keys: ReadonlyMap<string, RoleKey>;
  /** Id of the first person, operator and approver. */
  readonly person: string;
  /** Digest of the active bundle. */
  readonly policy: string;
  /** Digest of the first grant-decision, a waiver. */
  readonly grant: string;
}

const deploymentFile = 'deployment.json';
const deployment = z.strictObject({ v: z.literal(1), origin: z.string().min(1).max(255) });

/** What a data folder says of itself. @throws AuthorityError folder (not a data folder of Deed) */
export function readDeployment(dir: string): { readonly origin: string } {
  try {
    return deployment.parse(parseStrictJson(readFileSync(join(dir, deploymentFile), 'utf8')).value);
  } catch (cause) {
    throw new AuthorityError('folder', `${dir} is no data folder of Deed: make one with \`deed init\``, { cause });
  }
}

/** Where a deployment's payload objects rest. */
export function objectFolder(dir: string): string {
  return join(dir, 'objects');
}

/**
 * Makes a deployment in a fresh folder: keys, key-events signed by the root, the first person, the default policy activated
 * by that person's word, and the waiver under which everything begins. Opens and closes the ledger itself.
 * @param configure sets up what the rooms above need, and may say so in the log; its answer comes back as `configured`
 * @throws AuthorityError folder (not fresh), passphrase, policy-invalid
 */
export async function initDeployment<T = undefined>(
  options: InitOptions,
  configure: (ledger: Ledger) => Promise<T> = async () => undefined as T,
): Promise<Initialized & { readonly configured: T }> {
  const { dir, passphrase, rootFile, personFile, clock = systemClock } = options;
  const policyFolder = options.policyFolder ?? defaultPolicyFolder;
  const origin = options.origin ?? `${toHex(randomBytes(4))}.deed.local`;
  if (existsSync(dir) && readdirSync(dir).length > 0) {
    throw new AuthorityError('folder', `${dir} is not empty: choose a fresh folder`);
  }
  for (const file of [rootFile, ...(personFile === undefined ? [] : [personFile])]) {
    if (!relative(dir, file).startsWith('..')) {
      throw new AuthorityError('folder', `${file} would lie in the data folder: the server must not reach this key`);
    }
  }
  const bundle = checkBundle(policyFolder);
  const root = newP256();
  const seal = options.scryptCost === undefined ? {} : { scryptCost: options.scryptCost };
  await writeSealedKey(rootFile, root, passphrase, seal);
  const signer = options.personSigner ?? (await newPerson(personFile, passphrase, seal));
  makeFolder(dir);
  await createServerKeys(dir);
  const keys = readServerKeys(dir);
  const logKeys = readLogKeys(dir, origin);
  const ledger = await openLedger({
    folder: dir,
    logKeys,
    signer: keys.receipt,
    migrations: authorityMigrations,
    clock: clock.now,
  });
  try {
    await ledger.ready;
    const rootSigner = keySigner(root);
    await recordKeys(ledger, rootSigner, [
      keyOfEvent('root', root, origin),
      ...serverKeyNames.map((name) => keyOfEvent(roleOf(name), publicKeyOf(dir, name), origin)),
    ]);
    const authority = await openAuthority({ dir, ledger, objects: openObjects(objectFolder(dir)), clock });
    const person = await authority.people.enrolFirst({
      kind: signer.kind,
      public: signer.public,
      roles: ['operator', 'approver'],
      label: options.personLabel ?? 'operator',
    });
    const word = await signer.word('deed-activation-v1', authority.policy.wordBytes(bundle.digest, person.id));
    const policy = await authority.policy.activate(policyFolder, word);
    const grant = await authority.grants.waive(options.waiverDays ?? 30);
    const configured = await configure(ledger);
    await authority.close();
    createNew(join(dir, deploymentFile), utf8(`${JSON.stringify({ v: 1, origin })}\n`));
    return {
      ...{ origin, root: rootSigner.keyid, vkeys: ledger.vkeys, keys: roleKeysOf(ledger.series('keys')) },
      ...{ person: person.id, policy: policy.bundle.digest, grant: grant.digest, configured },
    };
  } finally {
    await ledger.close();
  }
}

async function newPerson(file: string | undefined, passphrase: string, seal: SealOptions): Promise<PersonSigner> {
  if (file === undefined)
    throw new AuthorityError('key', 'the first person needs a key: a new one in a file, or one that signs');
  const key = newP256();
  await writeSealedKey(file, key, passphrase, seal);
  return keyPersonSigner(key);
}

/** The root first; each key one role, signed by the root. */
async function recordKeys(ledger: Ledger, root: FileSigner, keys: readonly KeyOfEvent[]): Promise<void> {
  const recorded = keys.map((key) =>
    ledger.record({
      ...serverAct,
      predicate: 'key-event',
      place: { series: 'keys' },
      subject: { name: `key:${key.keyid}`, sha256: key.keyid },
      body: { event: 'add', key, from: 0 },
      signer: root,
    }),
  );
  await Promise.all(recorded.map(({ durable }) => durable));
}
