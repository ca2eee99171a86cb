import { sealedFilesMigration } from './brokers/sealed-files.ts';
import { peopleMigration } from './people/people-schema.ts';

/** The tables of this room. Each row is written in the transaction of the statement that says so, unless noted. */
export const authorityMigrations = [
  {
    id: 'authority/1',
    up: `
      CREATE TABLE people (
        id TEXT PRIMARY KEY, kind TEXT NOT NULL, public TEXT NOT NULL UNIQUE, roles TEXT NOT NULL,
        label TEXT NOT NULL, enrolled TEXT NOT NULL
      ) STRICT;
      -- not evidence: an invitation says nothing until it is redeemed
      CREATE TABLE invitations (
        code_hash TEXT PRIMARY KEY, name TEXT NOT NULL, definition TEXT, expires_ms INTEGER NOT NULL, agent TEXT
      ) STRICT;
      CREATE TABLE agents (
        id TEXT PRIMARY KEY, name TEXT NOT NULL, spiffe TEXT NOT NULL, definition TEXT, spki TEXT NOT NULL UNIQUE,
        jkt TEXT NOT NULL UNIQUE, enrolled TEXT NOT NULL, revoked TEXT
      ) STRICT;
      CREATE TABLE grants (
        digest TEXT PRIMARY KEY, id TEXT NOT NULL, at INTEGER NOT NULL, verdict TEXT NOT NULL, agent TEXT NOT NULL,
        capability TEXT NOT NULL, grade TEXT NOT NULL, ceiling TEXT NOT NULL, expires_ms INTEGER NOT NULL
      ) STRICT;
      CREATE TABLE policies (
        digest TEXT PRIMARY KEY, version INTEGER NOT NULL UNIQUE, bundle TEXT NOT NULL
      ) STRICT;
      CREATE TABLE tasks (
        id TEXT PRIMARY KEY, opened TEXT NOT NULL, state TEXT NOT NULL, epoch INTEGER NOT NULL,
        implicit INTEGER NOT NULL, agent TEXT, principal TEXT NOT NULL, objective TEXT NOT NULL, allow_ TEXT NOT NULL,
        ceiling TEXT NOT NULL, budget INTEGER NOT NULL, used INTEGER NOT NULL, opened_ms INTEGER NOT NULL,
        deadline_ms INTEGER NOT NULL, grant_ TEXT NOT NULL, policy TEXT NOT NULL, closed TEXT
      ) STRICT;
      CREATE INDEX tasks_open ON tasks (state) WHERE state = 'open';
      CREATE TABLE jti (
        exp INTEGER NOT NULL, jti TEXT NOT NULL, task TEXT NOT NULL, statement TEXT NOT NULL,
        replayed INTEGER NOT NULL, PRIMARY KEY (exp, jti)
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE approvals (
        digest TEXT PRIMARY KEY, task TEXT NOT NULL, action TEXT NOT NULL UNIQUE, record TEXT NOT NULL, used_by TEXT
      ) STRICT;
      CREATE TABLE intents (
        digest TEXT PRIMARY KEY, task TEXT NOT NULL, action TEXT NOT NULL UNIQUE, record TEXT NOT NULL,
        tier TEXT NOT NULL, observed TEXT NOT NULL, agent_distance TEXT NOT NULL, tool_distance TEXT NOT NULL,
        ended TEXT, status TEXT, settled INTEGER NOT NULL
      ) STRICT;
      CREATE INDEX intents_of_task ON intents (task);
      -- written before a broker is asked, so that a crash leaves no credential that nobody knows
      CREATE TABLE credentials (
        id TEXT PRIMARY KEY, task TEXT NOT NULL, broker TEXT NOT NULL, blind BLOB NOT NULL, blinded TEXT NOT NULL UNIQUE,
        secret BLOB, state TEXT NOT NULL, minted_ms INTEGER NOT NULL, revoked_ms INTEGER
      ) STRICT;
      CREATE INDEX credentials_of_task ON credentials (task);
      -- payload objects that commit with the statement that names them: encrypted, like those among the objects
      CREATE TABLE payload (name TEXT PRIMARY KEY, sealed BLOB NOT NULL) STRICT;
      -- one row while a server runs: found at the start, it says that the last run did not end in order
      CREATE TABLE authority_run (one INTEGER PRIMARY KEY CHECK (one = 1)) STRICT;
    `,
  },
  {
    id: 'authority/2',
    up: `
      -- the task's id stands in clear at the beginning of what is sealed
      CREATE INDEX payload_of_task ON payload (substr(sealed, 3, 30));
      CREATE TABLE legal_hold (
        id TEXT PRIMARY KEY, task TEXT NOT NULL, reason TEXT NOT NULL, person TEXT NOT NULL, placed TEXT NOT NULL,
        statement TEXT NOT NULL, released TEXT
      ) STRICT;
      -- one row for each erased statement; done once nothing of it is left on the disk, which a crash may delay to the next start
      CREATE TABLE erasure (
        statement TEXT PRIMARY KEY, task TEXT NOT NULL, whole INTEGER NOT NULL, names TEXT NOT NULL,
        retention INTEGER NOT NULL, at_ms INTEGER NOT NULL, done INTEGER NOT NULL
      ) STRICT;
      CREATE INDEX erasure_of_task ON erasure (task);
      -- not evidence: the newest time that retention took for true
      CREATE TABLE retention_clock (one INTEGER PRIMARY KEY CHECK (one = 1), seen_ms INTEGER NOT NULL) STRICT;
    `,
  },
  {
    // Which entry of the allowed actions admitted it; null in an implicit task.
    id: 'authority/entries',
    up: 'ALTER TABLE intents ADD COLUMN entry INTEGER;',
  },
  peopleMigration,
  {
    id: 'authority/a1',
    up: `
      ALTER TABLE agents ADD COLUMN kind TEXT NOT NULL DEFAULT 'agent';
      ALTER TABLE agents ADD COLUMN how TEXT NOT NULL DEFAULT 'one-time-code';
      CREATE TABLE revoked_names (name TEXT PRIMARY KEY, statement TEXT NOT NULL, at INTEGER NOT NULL) STRICT;
      -- workload tokens that enrolled somebody, until they are too old to enrol anybody
      CREATE TABLE workload_tokens (use TEXT PRIMARY KEY, until_ms INTEGER NOT NULL, agent TEXT NOT NULL) STRICT, WITHOUT ROWID;
      -- not evidence: the keys that issuers were seen with, so that a change is noticed
      CREATE TABLE issuer_keys (
        issuer TEXT NOT NULL, kid TEXT NOT NULL, jwk TEXT NOT NULL, first_ms INTEGER NOT NULL, PRIMARY KEY (issuer, kid)
      ) STRICT, WITHOUT ROWID;
    `,
  },
  {
    id: 'authority/f1',
    up: `
      -- when a credential ends by itself
      ALTER TABLE credentials ADD COLUMN expires_ms INTEGER;
      -- secrets that every task shares, sealed by the key of this purpose; which there are stands in config.json
      CREATE TABLE static_secret (name TEXT PRIMARY KEY, sealed BLOB NOT NULL) STRICT;
    `,
  },
  {
    id: 'authority/c1',
    up: `
      ALTER TABLE tasks ADD COLUMN depth INTEGER NOT NULL DEFAULT 0;
      CREATE TABLE hops (
        digest TEXT PRIMARY KEY, task TEXT NOT NULL, parent TEXT, delegator TEXT NOT NULL, delegate TEXT NOT NULL,
        allow_ TEXT NOT NULL, ceiling TEXT NOT NULL, budget INTEGER NOT NULL, used INTEGER NOT NULL,
        deadline_ms INTEGER NOT NULL, depth INTEGER NOT NULL, offered_ms INTEGER NOT NULL, accepted TEXT UNIQUE, ended TEXT
      ) STRICT;
      CREATE INDEX hops_of_task ON hops (task);
    `,
  },
  {
    id: 'authority/e1',
    up: `
      -- the person who answers for an agent
      ALTER TABLE agents ADD COLUMN owner TEXT;
      ALTER TABLE invitations ADD COLUMN owner TEXT;
      -- who approved, with which key, how strongly and until when
      ALTER TABLE approvals RENAME TO approvals_of_one;
      CREATE TABLE approvals (
        digest TEXT PRIMARY KEY, task TEXT NOT NULL, action TEXT NOT NULL, record TEXT NOT NULL, person TEXT NOT NULL,
        holder TEXT NOT NULL, grade TEXT NOT NULL, expires TEXT NOT NULL, used_by TEXT,
        UNIQUE (action, person), UNIQUE (action, holder)
      ) STRICT;
      INSERT INTO approvals SELECT digest, task, action, record, '', '', 'A0', '1970-01-01T00:00:00.000Z', used_by FROM approvals_of_one;
      DROP TABLE approvals_of_one;
    `,
  },
  sealedFilesMigration,
] as const;
