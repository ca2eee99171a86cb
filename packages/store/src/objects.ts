import * as fs from 'node:fs';
import { dirname, join } from 'node:path';
import { createNew, makeFolder, shred } from './durable.ts';
import { StoreError } from './errors.ts';

/** Content objects by digest: written once, durable before `put` returns, never changed. */
export interface Objects {
  /** @throws StoreError name, conflict (the name holds other bytes) */
  put(name: string, bytes: Uint8Array): void;
  get(name: string): Uint8Array | undefined;
  has(name: string): boolean;
  /** Overwrites and removes. False if there was none. */
  delete(name: string): boolean;
}

const objectName = /^(?:[0-9a-f]{2}){16,64}$/;

/** Objects in a folder, at `ab/cd/abcd...`, readable by the owner alone. */
export function openObjects(folder: string): Objects {
  makeFolder(folder);
  const pathOf = (name: string): string => {
    if (!objectName.test(name)) throw new StoreError('name', `not a lower-case hex digest: ${JSON.stringify(name)}`);
    return join(folder, name.slice(0, 2), name.slice(2, 4), name);
  };
  return {
    put(name, bytes) {
      const path = pathOf(name);
      makeFolder(dirname(path));
      createNew(path, bytes);
    },
    get(name) {
      try {
        return fs.readFileSync(pathOf(name));
      } catch (error) {
        if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
        throw error;
      }
    },
    has: (name) => fs.existsSync(pathOf(name)),
    delete: (name) => shred(pathOf(name)),
  };
}
