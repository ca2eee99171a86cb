import type { RoomExamination } from '@deed/ledger';
import { examineFiles } from './files.ts';
import { examinePayloads } from './payloads.ts';
import { examineSecrets } from './secrets.ts';
import { deriveTables, freeTables } from './tables.ts';

/** This room's part of fsck: its tables from the entries, payloads with their keys, key files, policy bundles. */
export const authorityExamination: RoomExamination = {
  tables: [...Object.values(deriveTables().tables).map(({ form }) => form), ...Object.entries(freeTables)].map(
    (table) => (Array.isArray(table) ? table[0] : table.name),
  ),
  owns: (path) =>
    path === 'deployment.json' ||
    /^keys\/(receipt|registrar|token|log-ed25519|log-ml-dsa-44)(\.next)?\.(pem|sealed\.json)$/.test(path) ||
    /^keys\/sealing\.(pem|sealed\.json)$/.test(path) ||
    /^(keys\/(tasks|secrets)|objects|policy)\//.test(path),
  begin(ground) {
    const parts = [deriveTables(), examinePayloads(ground), examineFiles(ground), examineSecrets(ground)];
    return {
      statement: (logged) => {
        for (const part of parts) part.statement(logged);
      },
      end: () => {
        for (const part of parts) 'compare' in part ? part.compare(ground) : part.end();
      },
    };
  },
};
