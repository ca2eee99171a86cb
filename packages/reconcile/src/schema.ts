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
] as const;
