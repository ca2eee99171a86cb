import { generateKeyPairSync } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { formatVkey, parseVkey } from '@deed/evidence';
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

const keyFile = 'witness-key.pem';
const nameFile = 'name';

export function openWitnessDatabase(stateFolder: string): Database {
  return openDatabase(stateFolder, { migrations, file: 'witness.db' });
}

/**
 * Makes a witness's state folder with its key (Ed25519, mode 0600), or finds the one that is there.
 * @returns its vkey, for trust files
 * @throws LedgerError witness (the folder belongs to a witness of another name), EvidenceError key (not a key name)
 */
export function initWitness(stateFolder: string, options: { readonly name: string }): string {
  makeFolder(stateFolder);
  if (!fs.existsSync(join(stateFolder, keyFile))) {
    const { privateKey } = generateKeyPairSync('ed25519');
    const pem = privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
    pemNoteSigner(options.name, 0x04, pem);
    if (!fs.existsSync(join(stateFolder, nameFile))) createNew(join(stateFolder, nameFile), Buffer.from(options.name));
    createNew(join(stateFolder, keyFile), Buffer.from(pem));
  }
  const { key } = loadWitnessKey(stateFolder);
  if (key.name !== options.name) {
    throw new LedgerError('witness', `${stateFolder} belongs to the witness ${key.name}; choose another folder`);
  }
  openWitnessDatabase(stateFolder).close();
  return formatVkey(key);
}

/** @throws LedgerError witness (no witness there) */
export function loadWitnessKey(stateFolder: string): NoteSigner {
  try {
    const name = fs.readFileSync(join(stateFolder, nameFile), 'utf8');
    return pemNoteSigner(name, 0x04, fs.readFileSync(join(stateFolder, keyFile), 'utf8'));
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') {
      throw new LedgerError('witness', `${stateFolder} holds no witness; make one first`, { cause });
    }
    throw cause;
  }
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
  const vkeys = [...log.vkeys].sort();
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
