import { concat, makePayload, openPayload, type PayloadRef, saltSize, sha256, toHex, utf8 } from '@deed/evidence';
import type { Database, Objects, Transaction } from '@deed/store';
import { AuthorityError } from '../errors.ts';
import { decrypt, encrypt, openObject, sealObject, taskOfObject, traceOf } from './envelope.ts';
import { deploymentTask, type TaskKeys } from './task-keys.ts';

/** Larger payloads go to the objects at once: the database is for what commits by the thousand. */
const maxStagedBytes = 64 * 1024;

/** Payload objects at rest (docs/formats/payload.md): named, salted, encrypted, erasable. */
export interface Vault {
  /**
   * Names bytes and stores them as an object, durable when this returns. With `keep` false nothing is stored: only the digest
   * is wanted. `task` may be {@link deploymentTask}.
   */
  put(task: string, bytes: Uint8Array, type: string, keep?: boolean): PayloadRef;
  /**
   * As {@link Vault.put}, but what is small becomes durable in the transaction of the next statement of this room, so that no
   * statement can name what is not there and no write of its own is waited for.
   */
  stage(task: string, bytes: Uint8Array, type: string, keep?: boolean): PayloadRef;
  /** As {@link Vault.stage}, for an object whose salt somebody else chose. @throws AuthorityError vault (its name is taken) */
  stageObject(task: string, object: Uint8Array, type: string): PayloadRef;
  /** Hands over what is staged: `write` belongs into the next transaction, `giveBack` is for when there will be none. */
  takeStaged(): { readonly write: (tx: Transaction) => void; readonly giveBack: () => void };
  /** The object of a name: `salt || bytes`. @throws AuthorityError vault (not kept, erased, or changed at rest) */
  get(name: string): Uint8Array;
  has(name: string): boolean;
  /**
   * As {@link Vault.stage}, and never under a name that equal bytes have: for records of other systems, of which two may be
   * equal. For a task that was erased it is kept as one of no task.
   */
  stageApart(task: string, bytes: Uint8Array, type: string): PayloadRef;
  /** Bytes by which copies of these objects in the database's files are known. */
  traces(names: readonly string[]): readonly Uint8Array[];
  /** Erases the rows of these objects, and with `wholeTask` every row of that task; the objects go with {@link eraseObjects}. */
  eraseRows(tx: Transaction, names: readonly string[], wholeTask: string | null): void;
  eraseObjects(names: readonly string[]): void;
  /** Encrypts something that is not a payload under the task's key, for one purpose. */
  seal(task: string, purpose: string, bytes: Uint8Array): Uint8Array;
  /** @throws AuthorityError vault */
  unseal(task: string, purpose: string, sealed: Uint8Array): Uint8Array;
  readonly taskKeys: TaskKeys;
}

/** The bytes of an object; undefined where it is not kept, erased, or changed at rest. */
export function contentOf(vault: Vault, { sha256 }: Pick<PayloadRef, 'sha256'>): Uint8Array | undefined {
  try {
    return openPayload(vault.get(sha256), sha256).bytes;
  } catch {
    return undefined;
  }
}

/** Without a database the vault knows its objects only, and stages nothing. */
export function openVault(objects: Objects, taskKeys: TaskKeys, db: Database | null = null): Vault {
  /** Sealed, readable, not durable yet. `untaken`: those that no transaction will write so far. */
  const staged = new Map<string, Uint8Array>();
  let untaken: string[] = [];

  const stored = (name: string): Uint8Array | undefined =>
    staged.get(name) ??
    db?.get<{ sealed: Uint8Array }>('SELECT sealed FROM payload WHERE name = ?', name)?.sealed ??
    objects.get(name);
  const has = (name: string): boolean =>
    staged.has(name) || db?.get('SELECT 1 FROM payload WHERE name = ?', name) !== undefined || objects.has(name);
  /** Nothing more is kept for a task that was erased: what is said about it later says digests alone. */
  const isErased = (task: string): boolean =>
    !taskKeys.hasKey(task) &&
    (taskKeys.isEnding(task) || db?.get('SELECT 1 FROM erasure WHERE task = ? AND whole = 1', task) !== undefined);
  const store = (
    task: string,
    bytes: Uint8Array,
    type: string,
    wanted: boolean,
    write: (name: string, sealed: Uint8Array) => void,
    salt: 'of the task' | 'random' = 'of the task',
  ): PayloadRef => {
    const payload = makePayload(bytes, salt === 'random' ? undefined : taskKeys.secret(task));
    const keep = wanted && !isErased(task);
    if (keep && !has(payload.name)) {
      const object = concat(payload.salt, bytes);
      write(payload.name, sealObject(taskKeys.key(task), task, payload.name, object));
    }
    return { sha256: payload.name, size: bytes.length, type, kept: keep };
  };

  const stageSealed = (name: string, sealed: Uint8Array): void => {
    if (!db || sealed.length > maxStagedBytes) objects.put(name, sealed);
    else {
      staged.set(name, sealed);
      untaken.push(name);
    }
  };

  return {
    taskKeys,
    put(task, bytes, type, keep = true) {
      const ref = store(task, bytes, type, keep, (name, sealed) => objects.put(name, sealed));
      const waiting = staged.get(ref.sha256);
      if (keep && waiting) objects.put(ref.sha256, waiting);
      return ref;
    },
    stageApart(task, bytes, type) {
      const owner = isErased(task) ? deploymentTask : task;
      return store(owner, bytes, type, true, stageSealed, 'random');
    },
    stage(task, bytes, type, keep = true) {
      return store(task, bytes, type, keep, stageSealed);
    },
    stageObject(task, object, type) {
      const name = toHex(sha256(object));
      if (has(name)) throw new AuthorityError('vault', `payload ${name} is kept already`);
      const keep = !isErased(task);
      if (keep) stageSealed(name, sealObject(taskKeys.key(task), task, name, object));
      return { sha256: name, size: object.length - saltSize, type, kept: keep };
    },
    takeStaged() {
      const names = untaken;
      untaken = [];
      return {
        write(tx) {
          for (const name of names) {
            const sealed = staged.get(name);
            if (sealed) tx.run('INSERT INTO payload (name, sealed) VALUES (?, ?)', name, sealed);
            staged.delete(name);
          }
        },
        giveBack() {
          untaken = [...names, ...untaken];
        },
      };
    },
    get(name) {
      const sealed = stored(name);
      if (!sealed) throw new AuthorityError('vault', `payload ${name} is not kept`);
      return openObject(taskKeys.key(taskOfObject(sealed)), name, sealed);
    },
    has,
    traces: (names) =>
      names.flatMap((name) => {
        const row = db?.get<{ sealed: Uint8Array }>('SELECT sealed FROM payload WHERE name = ?', name);
        return row ? [traceOf(row.sealed)] : [];
      }),
    eraseRows(tx, names, wholeTask) {
      for (const name of names) tx.run('DELETE FROM payload WHERE name = ?', name);
      if (wholeTask !== null) tx.run('DELETE FROM payload WHERE substr(sealed, 3, 30) = ?', utf8(wholeTask));
    },
    eraseObjects(names) {
      for (const name of names) objects.delete(name);
    },
    seal: (task, purpose, bytes) => encrypt(taskKeys.key(task), bound(task, purpose), bytes),
    unseal: (task, purpose, sealed) => decrypt(taskKeys.key(task), bound(task, purpose), sealed),
  };
}

function bound(task: string, purpose: string): Uint8Array {
  return utf8(`deed-sealed-v1\0${task}\0${purpose}`);
}
