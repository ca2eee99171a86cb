import { generateKeyPairSync } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { formatVkey, type NoteKeyType, parseVkey } from '@deed/evidence';
import { createNew, type Database, type Migration, makeFolder, openDatabase } from '@deed/store';
import { LedgerError } from '../errors.ts';
import { type NoteSigner, pemNoteSigner } from '../log-keys.ts';

const migrations: readonly Migration[] = [
  {
    id: 'witness/1',
    up: `
      CREATE TABLE log (origin TEXT PRIMARY KEY, vkeys TEXT NOT NULL) STRICT;
      CREATE TABLE head (
        origin TEXT PRIMARY KEY REFERENCES log,
        size INTEGER NOT NULL,
        root BLOB NOT NULL,
        seconds INTEGER NOT NULL,
        note TEXT NOT NULL
      ) STRICT;`,
  },
];

/** The kinds of keys a witness may have. C2SP recommends ML-DSA-44; Ed25519 is what older verifiers read. */
export type WitnessKeyKind = 'ed25519' | 'ml-dsa-44';

const keyKinds: readonly { readonly kind: WitnessKeyKind; readonly type: NoteKeyType; readonly file: string }[] = [
  { kind: 'ed25519', type: 0x04, file: 'witness-key.pem' },
  { kind: 'ml-dsa-44', type: 0x06, file: 'witness-key-ml-dsa-44.pem' },
];
const nameFile = 'name';

const databaseFile = 'witness.db';

/**
 * @throws LedgerError witness (it is absent: a key without the memory of what it signed would sign a second history)
 */
export function openWitnessDatabase(stateFolder: string): Database {
  if (!fs.existsSync(join(stateFolder, databaseFile))) {
    const what = fs.existsSync(join(stateFolder, nameFile))
      ? `${stateFolder} has lost the witness's memory (${databaseFile}); bring it back, or make a new witness with a new name`
      : `${stateFolder} holds no witness; make one with: deed log witness init --state ${stateFolder} --name NAME`;
    throw new LedgerError('witness', what);
  }
  return openDatabase(stateFolder, { migrations, file: databaseFile });
}

/**
 * Makes a witness's state folder with its keys (mode 0600), or finds the ones that are there.
 * @returns its vkeys, for trust files
 * @throws LedgerError witness (the folder belongs to a witness of another name or with other kinds of keys), EvidenceError
 * key (not a key name)
 */
export function initWitness(
  stateFolder: string,
  options: { readonly name: string; readonly keys?: readonly WitnessKeyKind[] },
): readonly string[] {
  const { name, keys = ['ed25519'] } = options;
  const wanted = keyKinds.filter(({ kind }) => keys.includes(kind));
  if (wanted.length === 0) throw new LedgerError('witness', 'a witness needs a key');
  makeFolder(stateFolder);
  const files = fs.readdirSync(stateFolder);
  if (!keyKinds.some(({ file }) => files.includes(file))) {
    const pems = wanted.map(({ kind, type, file }) => ({ type, file, pem: newPem(kind) }));
    for (const { type, pem } of pems) pemNoteSigner(name, type, pem);
    openDatabase(stateFolder, { migrations, file: databaseFile }).close();
    if (!files.includes(nameFile)) createNew(join(stateFolder, nameFile), Buffer.from(name));
    for (const { file, pem } of pems) createNew(join(stateFolder, file), Buffer.from(pem));
  }
  const found = loadWitnessKeys(stateFolder).map(({ key }) => key);
  if (found.some((key) => key.name !== name)) {
    throw new LedgerError('witness', `${stateFolder} belongs to the witness ${found[0]?.name}; choose another folder`);
  }
  if (found.map(({ type }) => type).join() !== wanted.map(({ type }) => type).join()) {
    throw new LedgerError('witness', `${stateFolder} holds a witness with other kinds of keys; choose another folder`);
  }
  openWitnessDatabase(stateFolder).close();
  return found.map(formatVkey);
}

function newPem(kind: WitnessKeyKind): string {
  const { privateKey } = kind === 'ed25519' ? generateKeyPairSync('ed25519') : generateKeyPairSync('ml-dsa-44');
  return privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
}

/** One signer for each key. @throws LedgerError witness (no witness there) */
export function loadWitnessKeys(stateFolder: string): readonly NoteSigner[] {
  const read = (file: string) => {
    try {
      return fs.readFileSync(join(stateFolder, file), 'utf8');
    } catch (cause) {
      if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined;
      throw cause;
    }
  };
  const name = read(nameFile);
  const signers = keyKinds.flatMap(({ type, file }) => {
    const pem = read(file);
    return name === undefined || pem === undefined ? [] : [pemNoteSigner(name, type, pem)];
  });
  if (signers.length === 0) {
    throw new LedgerError(
      'witness',
      `${stateFolder} holds no witness; make one with: deed log witness init --state ${stateFolder} --name NAME`,
    );
  }
  return signers;
}

/** The logs a witness accepts, with what it cosigned last. */
export function witnessedLogs(stateFolder: string): readonly WitnessedLog[] {
  const database = openWitnessDatabase(stateFolder);
  try {
    const rows = database.all<{ origin: string; vkeys: string; size: number | null; seconds: number | null }>(
      'SELECT log.origin, vkeys, size, seconds FROM log LEFT JOIN head USING (origin) ORDER BY log.origin',
    );
    return rows.map(({ origin, vkeys, size, seconds }) => ({
      origin,
      vkeys: vkeys.split('\n'),
      cosigned: size === null || seconds === null ? null : { size, time: new Date(seconds * 1000).toISOString() },
    }));
  } finally {
    database.close();
  }
}

export interface WitnessedLog {
  readonly origin: string;
  readonly vkeys: readonly string[];
  readonly cosigned: { readonly size: number; readonly time: string } | null;
}

/**
 * Lets a witness, running or not, accept a log's checkpoints. `replace`: the log's operator changed keys; what was cosigned
 * stays the tree that must be continued.
 * @throws LedgerError witness (the origin is known with other keys), EvidenceError key
 */
export function trustLog(
  stateFolder: string,
  log: { readonly origin: string; readonly vkeys: readonly string[]; readonly replace?: boolean },
): void {
  const vkeys = [...new Set(log.vkeys)].sort();
  if (log.origin === '' || /\p{Cc}/u.test(log.origin))
    throw new LedgerError('witness', 'an origin is one line of text');
  // Some logs sign under another name than their origin (the Go checksum database), so names are not compared.
  for (const vkey of vkeys) parseVkey(vkey);
  if (vkeys.length === 0) throw new LedgerError('witness', `no key of ${log.origin} is given`);
  const database = openWitnessDatabase(stateFolder);
  try {
    database.transaction((tx) => {
      const known = tx.get<{ vkeys: string }>('SELECT vkeys FROM log WHERE origin = ?', log.origin);
      if (!known) tx.run('INSERT INTO log (origin, vkeys) VALUES (?, ?)', log.origin, vkeys.join('\n'));
      else if (log.replace) tx.run('UPDATE log SET vkeys = ? WHERE origin = ?', vkeys.join('\n'), log.origin);
      else if (known.vkeys !== vkeys.join('\n')) {
        throw new LedgerError(
          'witness',
          `${log.origin} is already known with other keys; a new log needs a new origin`,
        );
      }
    });
  } finally {
    database.close();
  }
}

/** Where a witness that is running, or was last, can be reached: it writes this file itself. */
export function witnessAddress(stateFolder: string): string | undefined {
  try {
    return fs.readFileSync(join(stateFolder, 'address'), 'utf8').trim();
  } catch {
    return undefined;
  }
}
