import type pg from 'pg';

const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`;
const tableOf = (schema: string, table: string) => `${quoted(schema)}.${quoted(table)}`;

/**
 * The statements that make rows of these tables say whose session changed them: a trigger that runs as its owner and emits the session's own role into
 * the stream. Whoever owns the tables runs them; a role that only has privileges on the tables can neither disable nor replace it. Running them again
 * changes nothing.
 * @param tables schema and name of each
 */
export function stampStatements(tables: readonly (readonly [schema: string, table: string])[]): readonly string[] {
  return [
    'CREATE SCHEMA IF NOT EXISTS deed',
    'REVOKE ALL ON SCHEMA deed FROM PUBLIC',
    `CREATE OR REPLACE FUNCTION deed.stamp() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $body$
BEGIN
  PERFORM pg_logical_emit_message(true, 'deed.stamp',
    json_build_object('role', session_user, 'app', left(current_setting('application_name', true), 80))::text);
  RETURN NULL;
END $body$`,
    'REVOKE ALL ON FUNCTION deed.stamp() FROM PUBLIC',
    ...tables.flatMap(([schema, table]) => {
      const name = tableOf(schema, table);
      return [
        `ALTER TABLE ${name} REPLICA IDENTITY FULL`,
        `DROP TRIGGER IF EXISTS deed_stamp ON ${name}`,
        `CREATE TRIGGER deed_stamp BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON ${name}
FOR EACH STATEMENT EXECUTE FUNCTION deed.stamp()`,
        // A session that calls itself a replica runs no other triggers.
        `ALTER TABLE ${name} ENABLE ALWAYS TRIGGER deed_stamp`,
      ];
    }),
  ];
}

/** Takes it away again. */
export function unstampStatements(tables: readonly (readonly [schema: string, table: string])[]): readonly string[] {
  return [
    ...tables.map(([schema, table]) => `DROP TRIGGER IF EXISTS deed_stamp ON ${tableOf(schema, table)}`),
    'DROP SCHEMA IF EXISTS deed CASCADE',
  ];
}

/** Runs statements in one transaction. */
export async function runAll(client: pg.Client, statements: readonly string[]): Promise<void> {
  await client.query('BEGIN');
  try {
    for (const statement of statements) await client.query(statement);
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK');
    throw error;
  }
}
