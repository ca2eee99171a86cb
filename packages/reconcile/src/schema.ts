/** The tables of this room. Each row is written in the transaction of the statement that says so, unless noted. */
export const reconcileMigrations = [
  {
    id: 'reconcile/1',
    up: `
      -- which logs are read, and how far; registration is configuration and not evidence
      CREATE TABLE source (
        id TEXT PRIMARY KEY, kind TEXT NOT NULL, config TEXT NOT NULL, position TEXT, watermark TEXT
      ) STRICT;
      -- one row for each events-ingested statement: the whole tree, and what opens its sub-trees
      CREATE TABLE batch (digest TEXT PRIMARY KEY, source TEXT NOT NULL, tree TEXT NOT NULL) STRICT;
      CREATE TABLE event (
        source TEXT NOT NULL, source_event TEXT NOT NULL, name TEXT NOT NULL UNIQUE, batch TEXT NOT NULL,
        credential TEXT NOT NULL, task TEXT, kind TEXT NOT NULL, time TEXT NOT NULL,
        repository TEXT, ref TEXT, old TEXT, new TEXT, reason TEXT,
        -- digest of the confirmed or finding statement that explains it
        explained TEXT,
        PRIMARY KEY (source, source_event)
      ) STRICT;
      CREATE INDEX event_of_task ON event (task) WHERE explained IS NULL;
      CREATE TABLE confirmation (outcome TEXT PRIMARY KEY, task TEXT NOT NULL, statement TEXT NOT NULL) STRICT;
      -- subject: what the finding is about, so that it is found once
      CREATE TABLE finding (
        id TEXT PRIMARY KEY, task TEXT, type TEXT NOT NULL, severity TEXT NOT NULL, why TEXT NOT NULL, todo TEXT NOT NULL,
        subject TEXT NOT NULL UNIQUE, statement TEXT NOT NULL
      ) STRICT;
    `,
  },
  {
    id: 'reconcile/2',
    up: `
      -- the moment from which a source is read; what happened before is not covered
      ALTER TABLE source ADD COLUMN since TEXT;
    `,
  },
  {
    id: 'reconcile/3',
    up: `
      -- an event as its envelope says; NULL: erased
      CREATE TABLE said (
        source TEXT NOT NULL, source_event TEXT NOT NULL, name TEXT NOT NULL UNIQUE, batch TEXT NOT NULL,
        credential TEXT NOT NULL, task TEXT, time TEXT NOT NULL, event TEXT,
        -- digest of the confirmed, reconciled or finding statement that explains it
        explained TEXT,
        PRIMARY KEY (source, source_event)
      ) STRICT;
      INSERT INTO said SELECT source, source_event, name, batch, credential, task, time, json_object(
        'id', source_event, 'time', time, 'class_uid', 6003, 'activity', iif(kind = 'push', 'update', 'other'), 'operation', kind,
        'status', iif(kind = 'push', 'success', 'failure'), 'credential', NULL, 'principal', NULL, 'session', NULL,
        'correlation', json_object(), 'network', NULL, 'resource', iif(repository IS NULL, NULL, json_object(
          'type', iif(kind = 'push', 'git-ref', 'git-repository'), 'uid', repository || iif(kind = 'push', ' ' || ref, ''),
          'parent', iif(kind = 'push', repository, NULL))),
        'fields', json_object('old', old, 'new', new, 'reason', reason,
          'record', substr(source_event, 1, instr(source_event, ':') - 1))), explained FROM event;
      DROP TABLE event;
      ALTER TABLE said RENAME TO event;
      CREATE INDEX event_of_task ON event (task) WHERE explained IS NULL;
      -- what the tools of a server are to leave behind: the newest of each
      CREATE TABLE contract (server TEXT PRIMARY KEY, statement TEXT NOT NULL, payload TEXT NOT NULL) STRICT;
      -- what was last said of a finding, the statements it rests on (JSON), and the words that were said
      ALTER TABLE finding ADD COLUMN state TEXT NOT NULL DEFAULT 'open';
      ALTER TABLE finding ADD COLUMN until TEXT;
      ALTER TABLE finding ADD COLUMN statements TEXT NOT NULL DEFAULT '[]';
      CREATE TABLE finding_word (sha256 TEXT PRIMARY KEY, statement TEXT NOT NULL) STRICT;
      -- whose doings there are no business of this deployment, and by how much its clock may be wrong
      ALTER TABLE source ADD COLUMN watch TEXT;
      ALTER TABLE source ADD COLUMN skew_ms INTEGER;
    `,
  },
  {
    id: 'reconcile/4',
    up: `
      -- the newest reconciled of each task, and how much of it was pending
      CREATE TABLE reconciliation (task TEXT PRIMARY KEY, pending INTEGER NOT NULL, statement TEXT NOT NULL) STRICT;
    `,
  },
  {
    id: 'reconcile/5',
    up: `
      -- stretches of a source's time of which records are missing, as its events-ingested say
      CREATE TABLE gap (id TEXT PRIMARY KEY, source TEXT NOT NULL, since TEXT NOT NULL, until TEXT NOT NULL) STRICT;
      CREATE INDEX gap_of_source ON gap (source, until);
      -- when it was read, by our clock: nothing that is dated later is dated well
      ALTER TABLE event ADD COLUMN read_at TEXT;
    `,
  },
] as const;
