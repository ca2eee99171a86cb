import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  DeedError,
  exchangeType,
  makePayload,
  openPayload,
  parseExchange,
  payloadRefs,
  piecesOf,
} from '@deed/evidence';
import type { LoggedStatement, RoomGround } from '@deed/ledger';
import { isTemp } from '@deed/store';
import { openObject, taskOfObject } from '../vault/envelope.ts';
import { deploymentTask } from '../vault/task-keys.ts';

interface Seen {
  opened: number;
  failed: number;
  /** Objects whose salt is, or is not, what the task's secret gives. */
  derived: number;
  other: number;
}

/**
 * Opens every payload object with its task's key and looks for those that statements say are kept. A task without a key is
 * an erased one: its objects are not asked for.
 */
export function examinePayloads({ folder, database, add, breathe }: RoomGround) {
  // A copy without keys (a backup) is asked for presence only.
  const hasKeys = existsSync(join(folder, 'keys', 'tasks'));
  const kept = new Map<string, string>();
  /** Exchanges list what they consist of themselves: those that are named, and the pieces of those that were opened. */
  const exchanges = new Map<string, string>();
  const pieces = new Map<string, string>();
  const tasks = new Map<string, Seen>();
  const keys = new Map<string, Uint8Array | undefined>();

  const erased = new Set<string>();

  const keyOf = (task: string): Uint8Array | undefined => {
    if (!keys.has(task)) keys.set(task, readIfThere(join(folder, 'keys', 'tasks', task)));
    return keys.get(task);
  };

  const examine = (where: string, name: string, sealed: Uint8Array): void => {
    breathe();
    kept.delete(name);
    if (!hasKeys) return;
    let task: string;
    try {
      task = taskOfObject(sealed);
    } catch (error) {
      add('payload', where, messageOf(error));
      return;
    }
    const key = /^[A-Za-z0-9_]+$/.test(task) ? keyOf(task) : undefined;
    // The name of its task was changed, or that task was erased: only where a key is there can more be said.
    if (!key) {
      add('payload', where, `there is no key of ${task.slice(0, 40)}: changed, or left over from an erasure`);
      return;
    }
    const seen = tasks.get(task) ?? { opened: 0, failed: 0, derived: 0, other: 0 };
    tasks.set(task, seen);
    try {
      const { salt, bytes } = openPayload(openObject(key, name, sealed), name);
      seen.opened++;
      if (exchanges.has(name)) for (const piece of piecesOf(parseExchange(bytes))) pieces.set(piece.sha256, task);
      const secret = readIfThere(join(folder, 'keys', 'secrets', task));
      if (secret) Buffer.compare(makePayload(bytes, secret).salt, salt) === 0 ? seen.derived++ : seen.other++;
    } catch (error) {
      seen.failed++;
      add('payload', where, messageOf(error));
    }
  };

  const isThere = (name: string): boolean =>
    database.get('SELECT 1 FROM payload WHERE name = ?', name) !== undefined ||
    existsSync(join(folder, 'objects', name.slice(0, 2), name.slice(2, 4), name));

  return {
    statement({ statement }: LoggedStatement): void {
      const task = 'task' in statement.position ? statement.position.task : deploymentTask;
      for (const ref of payloadRefs(statement)) {
        if (ref.kept) kept.set(ref.sha256, task);
        if (ref.kept && ref.type === exchangeType) exchanges.set(ref.sha256, task);
      }
      if (statement.predicate !== 'erased') return;
      for (const name of statement.body.payloads) {
        kept.delete(name);
        erased.add(name);
      }
    },
    end(): void {
      for (const { name } of database.all<{ name: string }>('SELECT name FROM payload')) {
        const row = database.get<{ sealed: Uint8Array }>('SELECT sealed FROM payload WHERE name = ?', name);
        if (row) examine(`table payload, row ${name}`, name, row.sealed);
      }
      const objects = join(folder, 'objects');
      for (const item of existsSync(objects) ? readdirSync(objects, { withFileTypes: true, recursive: true }) : []) {
        if (item.isDirectory() || isTemp(item.name)) continue;
        const path = join(item.parentPath, item.name);
        const where = path.slice(folder.length + 1);
        const [, first, second, name = ''] = /^objects\/(..)\/(..)\/([0-9a-f]{64})$/.exec(where) ?? [];
        if (first === undefined || !name.startsWith(`${first}${second}`))
          add('stray', where, 'no object has this name');
        else {
          const sealed = readIfThere(path);
          if (sealed) examine(where, name, sealed);
        }
      }
      for (const [name, task] of pieces) if (!erased.has(name) && !isThere(name)) kept.set(name, task);
      for (const [name, task] of kept)
        if (!hasKeys || keyOf(task)) add('missing', `objects/${name}`, `a statement of ${task} keeps it`);
      for (const [task, { opened, failed, derived, other }] of tasks) {
        if (opened === 0 && failed > 0) add('key', `keys/tasks/${task}`, `opens none of its ${failed} objects`);
        // After a restore there is none, and salts are random; one that is there made at least some of them.
        if (derived === 0 && other > 0)
          add('key', `keys/secrets/${task}`, `made none of the salts of its ${other} objects`);
      }
    },
  };
}

function readIfThere(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

function messageOf(error: unknown): string {
  if (error instanceof DeedError) return error.message;
  throw error;
}
