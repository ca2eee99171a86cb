/**
 * What a deployment knows of its people beyond the log: personal data, which the log never holds and which can be erased. Who is
 * enrolled, with which keys and roles, is read from the series `people`.
 */
export const peopleMigration = {
  id: 'authority/g1',
  up: `
    CREATE TABLE person_label (person TEXT PRIMARY KEY, label TEXT NOT NULL) STRICT;
    INSERT INTO person_label (person, label) SELECT id, label FROM people;
    DROP TABLE people;
    -- who signs in at which provider is which person
    CREATE TABLE person_login (
      issuer TEXT NOT NULL, subject TEXT NOT NULL, person TEXT NOT NULL, PRIMARY KEY (issuer, subject)
    ) STRICT, WITHOUT ROWID;
    -- the passkeys of people, by the id that a browser knows them by
    CREATE TABLE person_passkey (
      credential TEXT PRIMARY KEY, person TEXT NOT NULL, public TEXT NOT NULL UNIQUE, aaguid TEXT NOT NULL,
      backed_up INTEGER NOT NULL, made_ms INTEGER NOT NULL
    ) STRICT;
    -- one-time codes, and the key that came in on one: nothing of it counts until it is ordered
    CREATE TABLE person_invitation (
      code_hash TEXT PRIMARY KEY, person TEXT NOT NULL, roles TEXT, label TEXT NOT NULL, expires_ms INTEGER NOT NULL,
      kind TEXT, public TEXT, passkey TEXT
    ) STRICT;
  `,
} as const;

/** Its columns, none of which follows from an entry. */
export const peopleTables: Readonly<Record<string, readonly string[]>> = {
  person_label: ['person', 'label'],
  person_login: ['issuer', 'subject', 'person'],
  person_passkey: ['credential', 'person', 'public', 'aaguid', 'backed_up', 'made_ms'],
  person_invitation: ['code_hash', 'person', 'roles', 'label', 'expires_ms', 'kind', 'public', 'passkey'],
};
