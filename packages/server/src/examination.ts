import { authorityExamination } from '@deed/authority';
import { gatewayExamination } from '@deed/gateway';
import { type FsckReport, fsck, fsckOnAllCores, type RoomExamination } from '@deed/ledger';
import { reconcileExamination } from '@deed/reconcile';
import { callbackTables } from './callbacks/outbox.ts';
import { readConfig } from './config.ts';
import { type Configuration, configurationOf, differencesOf } from './configuration.ts';
import { ServerError } from './errors.ts';

/** Whom callbacks tell and what is still to be told: configuration, and work in hand; no entry says either. */
const callbackExamination: RoomExamination = {
  tables: callbackTables,
  owns: () => false,
  begin: () => ({ statement() {}, end() {} }),
};

/** config.json, tools and sources: that they are as the newest statement says; and that config.json names this log and a known witness. */
const configExamination: RoomExamination = {
  tables: [],
  owns: (path) => path === 'config.json',
  begin({ folder, database, add }) {
    let origin: string | null = null;
    let stated: Configuration | null = null;
    return {
      statement({ statement }) {
        origin = statement.origin;
        if (statement.predicate === 'configuration-stated') stated = statement.body;
      },
      end() {
        try {
          const config = readConfig(folder);
          const known = database.all<{ vkey: string }>('SELECT vkey FROM witness_key').map(({ vkey }) => vkey);
          if (origin !== null && config.origin !== origin) add('file', 'config.json', 'names another log');
          if (known.length > 0 && !known.includes(config.witness.vkey)) {
            add('file', 'config.json', 'names a witness that this log never asked');
          }
          if (!stated) return;
          for (const where of differencesOf(stated, configurationOf(folder, database))) {
            const code = where === 'config.json' ? 'file' : 'state';
            add(code, where, 'is not as the log says; if you changed it, start `deed up`, which says so in the log');
          }
        } catch (error) {
          if (isAbsent(error)) return; // the deployment's key, which its own room misses too
          if (!(error instanceof ServerError)) throw error;
          add('file', 'config.json', error.message);
        }
      },
    };
  },
};

function isAbsent(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

/** Each room examines its own; a table or a file that none of them names is a stray. */
export const examinations: readonly RoomExamination[] = [
  authorityExamination,
  gatewayExamination,
  reconcileExamination,
  callbackExamination,
  configExamination,
];

/** `deed log fsck`: the whole data folder, as fast as the machine goes. @throws StoreError absent, newer */
export function examineOnAllCores(dir: string): Promise<FsckReport> {
  return fsckOnAllCores(dir, { rooms: examinations });
}

/** The same on one thread, which may be slowed down. @throws StoreError absent, newer */
export function examineFolder(dir: string, breathe: () => void = () => {}): FsckReport {
  return fsck(dir, { rooms: examinations, breathe });
}
