import { randomBytes, sign, verify } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { keyId, sha256, toHex } from '@deed/evidence';
import type { LoggedStatement, RoomGround } from '@deed/ledger';
import { isTemp } from '@deed/store';
import { readDeployment } from '../init.ts';
import { isSealed, plainKeys, publicKeyOf, serverKeyNames } from '../keys/key-files.ts';
import { spkiOf } from '../keys/p256.ts';
import { decisionIn } from '../policy/decisions.ts';
import { engineFaults, engineFileNames, engineFolder } from '../policy/engine.ts';

/** Keys, the archived policy bundles and engines, and deployment.json, against what the log says of them. */
export function examineFiles({ folder, add }: RoomGround) {
  const keyids = new Map<string, Set<string>>();
  const bundles = new Map<string, ReadonlyMap<string, string>>();
  const engines = new Set<string>();
  let origin = '';

  const attempt = (where: string, code: 'key' | 'file', work: () => string | null): void => {
    let what: string | null;
    try {
      what = work();
    } catch (error) {
      what = error instanceof Error ? error.message : String(error);
    }
    if (what !== null) add(code, where, what);
  };

  return {
    statement({ statement }: LoggedStatement): void {
      origin = statement.origin;
      if (statement.predicate === 'key-event') {
        const { event, key } = statement.body;
        const ids = keyids.get(key.role) ?? new Set();
        if (event === 'add') ids.add(key.keyid);
        keyids.set(key.role, ids);
      } else if (statement.predicate === 'policy-activated') {
        bundles.set(statement.body.bundle, new Map(statement.body.files.map((file) => [file.path, file.sha256])));
        engines.add(statement.body.engine.sha256);
      }
      const held = decisionIn(statement);
      if (held) engines.add(held.decision.engine.sha256);
    },
    end(): void {
      // A copy without keys (a backup) says nothing of them.
      if (existsSync(join(folder, 'keys'))) {
        for (const name of serverKeyNames) {
          const file = isSealed(folder) ? `keys/${name}.sealed.json` : `keys/${name}.pem`;
          const role = name.startsWith('log-') ? 'log' : name;
          attempt(file, 'key', () => keyFault(folder, name, keyids.get(role)));
        }
        examineKeyFolders(folder, add);
      }
      if (bundles.size > 0) attempt('deployment.json', 'file', () => deploymentFault(folder, origin));
      for (const [bundle, files] of bundles) examineBundle(folder, bundle, files, add);
      examineEngines(folder, engines, add);
    },
  };
}

/** A private half that was changed signs what the public half does not verify. A sealed one shows its public half alone. */
function keyFault(folder: string, name: string, keyids: ReadonlySet<string> | undefined): string | null {
  const publicKey = publicKeyOf(folder, name);
  if (!keyids?.has(keyId(spkiOf(publicKey)))) return 'is not a key that the log gives this role';
  if (isSealed(folder)) return null;
  const algorithm = name.startsWith('log-') ? null : 'sha256';
  const probe = randomBytes(32);
  const fits = verify(algorithm, probe, publicKey, sign(algorithm, probe, plainKeys(folder)(name)));
  return fits ? null : 'its private half does not belong to its public half';
}

function examineKeyFolders(folder: string, add: RoomGround['add']): void {
  for (const part of ['tasks', 'secrets']) {
    // A restored folder that was not opened yet has no secrets of tasks.
    for (const name of existsSync(join(folder, 'keys', part)) ? readdirSync(join(folder, 'keys', part)) : []) {
      const where = `keys/${part}/${name}`;
      if (isTemp(name)) add('unfinished', where, 'a write that did not end');
      else if (!/^(tsk_[0-9A-Z]{26}|deployment)$/.test(name)) add('stray', where, 'no task has this name');
      else if (
        statSync(join(folder, where), { throwIfNoEntry: false })?.size !== 32 &&
        existsSync(join(folder, where))
      ) {
        add('key', where, 'has not the size of a key');
      }
    }
  }
}

function deploymentFault(folder: string, origin: string): string | null {
  return readDeployment(folder).origin === origin ? null : 'names another log';
}

function examineBundle(
  folder: string,
  bundle: string,
  files: ReadonlyMap<string, string>,
  add: RoomGround['add'],
): void {
  const base = join(folder, 'policy', bundle);
  for (const [path, digest] of files) {
    const where = `policy/${bundle}/${path}`;
    if (!existsSync(join(base, path))) add('missing', where, 'the log says that it was put into force');
    else if (toHex(sha256(readFileSync(join(base, path)))) !== digest)
      add('file', where, 'is not the file put into force');
  }
  for (const name of existsSync(base) ? readdirSync(base) : []) {
    if (!files.has(name) && !isTemp(name)) add('stray', `policy/${bundle}/${name}`, 'is not of this bundle');
  }
}

/** Every engine that decided is kept as it was, and in the folder there is nothing else. */
function examineEngines(folder: string, engines: ReadonlySet<string>, add: RoomGround['add']): void {
  const base = engineFolder(folder);
  // One that was just put in has decided nothing yet.
  const there = existsSync(base) ? readdirSync(base) : [];
  for (const digest of new Set([...engines, ...there])) {
    const where = `policy/engines/${digest}`;
    for (const { file, what } of engineFaults(folder, digest)) {
      if (what === 'missing') add('missing', `${where}/${file}`, 'without it no decision of this engine replays');
      else add('file', `${where}/${file}`, 'is not the file of an engine that a release had');
    }
    const isFolder = statSync(join(base, digest), { throwIfNoEntry: false })?.isDirectory();
    for (const name of isFolder ? readdirSync(join(base, digest)) : []) {
      if (!engineFileNames.includes(name) && !isTemp(name)) add('stray', `${where}/${name}`, 'is not of an engine');
    }
  }
}
