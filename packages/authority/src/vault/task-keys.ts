import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createNew, makeFolder, shred } from '@deed/store';
import { AuthorityError } from '../errors.ts';

/** What belongs to no task (deployment-wide payloads) is kept under this key; its salts are random. */
export const deploymentTask = 'deployment';
const keySize = 32;
const cachedKeys = 1024;

/** The key of a task whose payloads were not erased, from a data folder that is only read. */
export function readTaskKey(dir: string, task: string): Uint8Array {
  return readFileSync(join(dir, 'keys', 'tasks', task));
}

/**
 * Keys and secrets of tasks, in DIR/keys/tasks and DIR/keys/secrets, 0600. The key opens the payloads for as long as it
 * exists; deleting it erases them. The secret makes the salts of an open task and is destroyed at its end.
 */
export class TaskKeys {
  private readonly keyFolder: string;
  private readonly secretFolder: string;
  private readonly keys = new Map<string, Uint8Array>();
  private readonly secrets = new Map<string, Uint8Array>();
  /** Tasks whose erasure is stated, and whose key goes in a moment. */
  private readonly ending = new Set<string>();

  constructor(dir: string) {
    this.keyFolder = join(dir, 'keys', 'tasks');
    this.secretFolder = join(dir, 'keys', 'secrets');
    makeFolder(this.keyFolder);
    makeFolder(this.secretFolder);
    if (!existsSync(join(this.keyFolder, deploymentTask))) {
      createNew(join(this.keyFolder, deploymentTask), randomBytes(keySize));
    }
  }

  /** Makes both for a new task, durably. */
  create(task: string): void {
    createNew(join(this.keyFolder, task), randomBytes(keySize));
    createNew(join(this.secretFolder, task), randomBytes(keySize));
    this.load(task);
  }

  /** Takes up the secret of a task that is still open. */
  load(task: string): void {
    const file = join(this.secretFolder, task);
    if (existsSync(file)) this.secrets.set(task, readFileSync(file));
  }

  /** @throws AuthorityError vault (erased, or never there) */
  key(task: string): Uint8Array {
    const known = this.keys.get(task);
    if (known) return known;
    const file = join(this.keyFolder, task);
    if (!existsSync(file)) throw new AuthorityError('vault', `there is no key for ${task}: its payloads were erased`);
    const key = readFileSync(file);
    if (this.keys.size >= cachedKeys) this.keys.clear();
    this.keys.set(task, key);
    return key;
  }

  /** False once it was erased, from the instant at which that is stated. */
  hasKey(task: string): boolean {
    return !this.ending.has(task) && (this.keys.has(task) || existsSync(join(this.keyFolder, task)));
  }

  /** From this instant nothing more is kept for the task; the file goes with {@link destroyKey}. */
  endKey(task: string): void {
    this.ending.add(task);
  }

  isEnding(task: string): boolean {
    return this.ending.has(task);
  }

  destroyKey(task: string): void {
    this.keys.get(task)?.fill(0);
    this.keys.delete(task);
    shred(join(this.keyFolder, task));
    this.ending.delete(task);
  }

  /** Undefined once the task is closed: salts are random from then on. */
  secret(task: string): Uint8Array | undefined {
    return this.secrets.get(task);
  }

  /** From this instant no salt is made from the secret; the file goes with {@link destroySecret}. */
  forgetSecret(task: string): void {
    this.secrets.get(task)?.fill(0);
    this.secrets.delete(task);
  }

  destroySecret(task: string): void {
    this.forgetSecret(task);
    shred(join(this.secretFolder, task));
  }

  /** Tasks whose secret is still on the disk. */
  withSecret(): readonly string[] {
    return readdirSync(this.secretFolder).filter((name) => name.startsWith('tsk_'));
  }
}
