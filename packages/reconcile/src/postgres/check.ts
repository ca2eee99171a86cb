import type pg from 'pg';
import type { SourceCheck } from '../connector.ts';
import { inSession, type PostgresConfig } from './session.ts';

/** Looks whether all is there that makes the record complete and says who did it. @throws ReconcileError unreachable, source */
export function checkPostgres(config: PostgresConfig): Promise<readonly SourceCheck[]> {
  return inSession(config, async (client) => [
    ...(await settings(client)),
    await readerRole(client),
    await slot(client, config.slot),
    ...(await tables(client, config.publication)),
  ]);
}

async function settings(client: pg.Client): Promise<readonly SourceCheck[]> {
  const { rows } = await client.query<{ name: string; setting: string }>(
    `SELECT name, setting FROM pg_settings WHERE name IN ('wal_level', 'max_slot_wal_keep_size', 'output_plugin_libraries')`,
  );
  const of = new Map(rows.map(({ name, setting }) => [name, setting]));
  const keep = Number(of.get('max_slot_wal_keep_size') ?? -1);
  const plugins = of.get('output_plugin_libraries');
  return [
    {
      what: 'changes are logged so that they can be decoded',
      ok: of.get('wal_level') === 'logical',
      detail: `wal_level is ${of.get('wal_level')}${of.get('wal_level') === 'logical' ? '' : ': ALTER SYSTEM SET wal_level = logical, and restart'}`,
    },
    {
      what: 'a slot that nobody reads does not fill the disk',
      ok: keep >= 0,
      detail:
        keep >= 0
          ? `max_slot_wal_keep_size is ${keep} MB`
          : "max_slot_wal_keep_size is not set: ALTER SYSTEM SET max_slot_wal_keep_size = '10GB'",
    },
    ...(plugins === undefined
      ? []
      : [
          {
            what: 'the plugin pgoutput may be used',
            ok: plugins.split(',').some((each) => each.trim() === 'pgoutput'),
            detail: `output_plugin_libraries is ${plugins}; it is a list: quote each name and never the whole`,
          },
        ]),
  ];
}

async function readerRole(client: pg.Client): Promise<SourceCheck> {
  const { rows } = await client.query<{ name: string; may: boolean; super: boolean }>(
    'SELECT rolname AS name, rolreplication AS may, rolsuper AS super FROM pg_roles WHERE rolname = current_user',
  );
  const [role] = rows;
  const ok = role?.may === true && !role.super;
  const mend = role?.super ? 'a superuser is more than is needed' : `ALTER ROLE ${role?.name} REPLICATION`;
  return {
    what: 'the reader may read the stream, and no more',
    ok,
    detail: ok ? `${role?.name} has REPLICATION` : mend,
  };
}

async function slot(client: pg.Client, name: string): Promise<SourceCheck> {
  const { rows } = await client.query<{ plugin: string; wal_status: string; active: boolean }>(
    'SELECT plugin, wal_status, active FROM pg_replication_slots WHERE slot_name = $1',
    [name],
  );
  const [found] = rows;
  const what = 'the slot is there and whole';
  if (!found) return { what, ok: true, detail: `${name} is made when the source is added` };
  const ok = found.plugin === 'pgoutput' && found.wal_status !== 'lost' && !found.active;
  const mend = ': drop it and add the source anew; what happened since is not covered';
  return {
    what,
    ok,
    detail: `${name}: ${found.plugin}, ${found.wal_status}${found.active ? ', read by somebody' : ''}${ok ? '' : mend}`,
  };
}

async function tables(client: pg.Client, publication: string): Promise<readonly SourceCheck[]> {
  const { rows } = await client.query<{ name: string; identity: string; stamp: string | null; key: boolean }>(
    `SELECT format('%I.%I', p.schemaname, p.tablename) AS name, c.relreplident AS identity,
       (SELECT t.tgenabled FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = 'deed_stamp') AS stamp,
       EXISTS (SELECT 1 FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary) AS key
     FROM pg_publication_tables p JOIN pg_class c ON c.oid = format('%I.%I', p.schemaname, p.tablename)::regclass
     WHERE p.pubname = $1 ORDER BY 1`,
    [publication],
  );
  if (rows.length === 0)
    return [{ what: 'the publication has tables', ok: false, detail: `CREATE PUBLICATION ${publication} FOR TABLE …` }];
  return rows.map(({ name, identity, stamp, key }) => {
    const lacks = [
      ...(identity === 'f' ? [] : [`no values before a change: ALTER TABLE ${name} REPLICA IDENTITY FULL`]),
      ...(stamp === 'A' ? [] : ['nothing says whose session changes it: deed source stamp prints the statements']),
      ...(key ? [] : ['no primary key: its rows have no name']),
    ];
    return {
      what: `${name} tells what it was and who changed it`,
      ok: lacks.length === 0,
      detail: lacks.join('; ') || 'all is there',
    };
  });
}
