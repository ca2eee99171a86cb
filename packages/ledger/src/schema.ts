import type { Migration } from '@deed/store';
import { timestampMigration } from './time/stamps.ts';

/**
 * The ledger's tables. The leaf is not stored: it is rebuilt from body, signature and key, in the form that `leaf_version`
 * names. `log_key` holds the vkeys of the log whose folder this is, each with the sizes that it signs,
 * `witness_key` those of every witness it ever asked.
 */
export const ledgerMigrations: readonly Migration[] = [
  {
    id: 'ledger/1',
    up: `
      CREATE TABLE key (id INTEGER PRIMARY KEY, keyid TEXT NOT NULL UNIQUE, spki BLOB NOT NULL) STRICT;
      CREATE TABLE entry (
        idx INTEGER PRIMARY KEY,
        leaf_version INTEGER NOT NULL,
        series TEXT NOT NULL,
        n INTEGER NOT NULL,
        key INTEGER NOT NULL REFERENCES key,
        sig BLOB NOT NULL,
        body BLOB NOT NULL,
        UNIQUE (series, n)
      ) STRICT;
      CREATE TABLE head (id INTEGER PRIMARY KEY CHECK (id = 1), size INTEGER NOT NULL) STRICT;
      INSERT INTO head (id, size) VALUES (1, 0);
      CREATE TABLE checkpoint (
        size INTEGER PRIMARY KEY,
        root BLOB NOT NULL,
        note TEXT NOT NULL,
        witnessed INTEGER NOT NULL,
        kept INTEGER NOT NULL
      ) STRICT;
      CREATE TABLE log_key (vkey TEXT PRIMARY KEY) STRICT;
      CREATE TABLE witness_key (vkey TEXT PRIMARY KEY) STRICT;`,
  },
  {
    id: 'ledger/log-key-spans',
    up: `
      ALTER TABLE log_key ADD COLUMN from_size INTEGER NOT NULL DEFAULT 0;
      ALTER TABLE log_key ADD COLUMN until_size INTEGER;`,
  },
  timestampMigration,
  {
    // `given`: the note as somebody was given it. `note` is that of the newest cosignatures.
    id: 'ledger/given-notes',
    up: `
      ALTER TABLE checkpoint ADD COLUMN given TEXT;
      UPDATE checkpoint SET given = note WHERE kept = 1;
      ALTER TABLE checkpoint DROP COLUMN kept;`,
  },
];
