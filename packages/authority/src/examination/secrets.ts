import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { RoomGround } from '@deed/ledger';
import { fileSealingKeyOf, openSealedFile } from '../brokers/sealed-files.ts';
import { openSecret, sealingKeyOf } from '../brokers/static.ts';
import { isSealed, plainKeys, secretsKeyName } from '../keys/key-files.ts';

/** Static secrets and sealed files: each opens by the key beside the server's keys. A sealed key, or a copy without keys, is not asked. */
export function examineSecrets({ folder, database, add }: RoomGround) {
  const attempt = <T>(code: 'key' | 'state', where: string, work: () => T): T | null => {
    try {
      return work();
    } catch (error) {
      add(code, where, error instanceof Error ? error.message : String(error));
      return null;
    }
  };
  return {
    statement(): void {},
    end(): void {
      if (!existsSync(join(folder, 'keys')) || isSealed(folder)) return;
      // A folder that no server of this version has opened has no such table.
      if (!database.get("SELECT 1 FROM sqlite_schema WHERE name = 'static_secret'")) return;
      const rows = database.all<{ name: string; sealed: Uint8Array }>('SELECT name, sealed FROM static_secret');
      const files = database.get("SELECT 1 FROM sqlite_schema WHERE name = 'sealed_file'")
        ? database.all<{ path: string; sealed: Uint8Array }>('SELECT path, sealed FROM sealed_file')
        : [];
      const file = `keys/${secretsKeyName}.pem`;
      const key = attempt('key', file, () => plainKeys(folder)(secretsKeyName));
      if (!key) return;
      const sealing = sealingKeyOf(key);
      for (const { name, sealed } of rows)
        attempt('state', `table static_secret, row ${name}`, () => openSecret(sealing, name, sealed));
      const fileSealing = fileSealingKeyOf(key);
      for (const { path, sealed } of files)
        attempt('state', `table sealed_file, row ${path}`, () => openSealedFile(fileSealing, path, sealed));
    },
  };
}
