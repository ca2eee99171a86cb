import { readFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { newId, parseStrictJson, randomBytes, toBase64Url } from '@deed/evidence';
import { Client, type ClientConfig, DatabaseError, escapeIdentifier, escapeLiteral } from 'pg';
import { z } from 'zod';
import { AuthorityError } from '../errors.ts';
import { readPrivateFile } from '../keys/private-file.ts';
import { type BrokerCheck, type CredentialBroker, type Secret, serversNamed } from './broker.ts';
import { scramVerifier } from './scram.ts';

export interface PostgresOptions {
  readonly name: string;
  /** A host, or the folder of a unix socket. */
  readonly host: string;
  readonly port: number;
  readonly database: string;
  /** File of mode 0600 with `{"user": …, "password": …}`: a role with CREATEROLE, which needs not be a superuser. */
  readonly adminFile: string;
  /** What a task's role may do: it becomes a member of these roles, which the operator made and granted. */
  readonly roles: readonly string[];
  /** Connections of one task at a time. */
  readonly connections: number;
  /** What becomes of objects that a task's role made: given to the administering role, or dropped. */
  readonly owned: 'keep' | 'drop';
  /** Verified TLS; false only for a unix socket or this machine. */
  readonly tls: boolean;
  readonly caFile?: string | undefined;
  /** The log's name: it marks the roles that this deployment made. */
  readonly origin: string;
  /** Names of the tool servers that are given this credential, as they are registered now. */
  readonly servers: () => readonly string[];
}

const timeoutMs = 10_000;
const pollMs = 50;
const admin = z.strictObject({ user: z.string().min(1), password: z.string().min(1) });

/** SQLSTATE class 28 (invalid authorization), and 53300: the role exists, all its connections are taken. */
const refusals = /^28/;

/** Whoever is a member of these runs programs or reads files as the server itself. */
const tooMuch = ['pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files'] as const;

/**
 * A role a task: made for it, member of the operator's roles, with a password of its own and no longer valid than the task; at its end
 * its sessions are terminated, what it owns is given away or dropped, and it is dropped.
 */
export function postgresBroker(options: PostgresOptions): CredentialBroker {
  const { name, host, port, database, roles, tls, caFile } = options;
  const at = (user: string, password: string, to = database): ClientConfig => ({
    ...{ host, port, database: to, user, password, application_name: 'deed', options: '' },
    ssl: tls
      ? { rejectUnauthorized: true, ...(caFile === undefined ? {} : { ca: readFileSync(caFile, 'utf8') }) }
      : false,
    ...{ connectionTimeoutMillis: timeoutMs, query_timeout: timeoutMs },
  });
  const asAdmin = <T>(work: (client: Client) => Promise<T>, to = database): Promise<T> => {
    const { user, password } = readAdmin(options.adminFile);
    return connected(at(user, password, to), work).catch((cause: unknown) => {
      if (cause instanceof AuthorityError) throw cause;
      throw new AuthorityError('broker', `${name}: ${messageOf(cause)}`, { cause });
    });
  };
  const mark = `deed ${options.origin}`;

  const broker: CredentialBroker = {
    name,
    kind: 'postgres',
    debt: 'none',
    env: {
      ...{ PGUSER: 'user', PGPASSWORD: 'password', PGHOST: 'host', PGPORT: 'port', PGDATABASE: 'database' },
      PGSSLMODE: 'sslmode',
      ...(caFile === undefined ? {} : { PGSSLROOTCERT: 'sslrootcert' }),
    },
    targets: (allow) => serversNamed(allow, options.servers()),
    async mint({ id, deadlineMs }) {
      const role = roleOf(id);
      const password = toBase64Url(randomBytes(32));
      const until = new Date(deadlineMs).toISOString();
      await asAdmin(async (client) => {
        const danger = await dangerOf(client, roles);
        if (danger !== null) throw new AuthorityError('broker', `${name}: ${danger}`);
        await client.query('BEGIN');
        await client.query(
          `CREATE ROLE ${escapeIdentifier(role)} LOGIN PASSWORD ${escapeLiteral(scramVerifier(password))}
           CONNECTION LIMIT ${options.connections} VALID UNTIL ${escapeLiteral(until)}
           IN ROLE ${roles.map(escapeIdentifier).join(', ')}`,
        );
        await client.query(`COMMENT ON ROLE ${escapeIdentifier(role)} IS ${escapeLiteral(mark)}`);
        await client.query('COMMIT');
      });
      const sslmode = tls ? 'verify-full' : 'disable';
      const where = {
        host,
        port: String(port),
        database,
        sslmode,
        ...(caFile === undefined ? {} : { sslrootcert: caFile }),
      };
      return { id: role, secret: { user: role, password, ...where }, expiresMs: deadlineMs };
    },
    async revoke(id) {
      const role = roleOf(id);
      await asAdmin(async (client) => {
        const found = await client.query<{ oid: number }>('SELECT oid FROM pg_roles WHERE rolname = $1', [role]);
        const oid = found.rows[0]?.oid;
        if (oid === undefined) return;
        await client.query(`ALTER ROLE ${escapeIdentifier(role)} NOLOGIN`);
        // Who administers a role may not yet end its sessions or take what it owns: its members may (CREATEROLE, before and since 16).
        await client.query(`GRANT ${escapeIdentifier(role)} TO CURRENT_USER`);
        await endSessions(client, oid, `${name}: sessions of ${role} do not end`);
        for (const place of await databasesOf(client, oid, database)) {
          await (place === database
            ? giveAway(client, role, options.owned)
            : asAdmin((there) => giveAway(there, role, options.owned), place));
        }
        await client.query(`DROP ROLE ${escapeIdentifier(role)}`);
      });
    },
    async probe(_id, { user = '', password = '' }) {
      try {
        await connected(at(user, password), (client) => client.query('SELECT 1'));
        return { refused: false, detail: `${user} logged in` };
      } catch (cause) {
        if (cause instanceof DatabaseError && refusals.test(cause.code ?? ''))
          return { refused: true, detail: `${cause.code}: ${cause.message}` };
        throw new AuthorityError('broker', `${name} did not say: ${messageOf(cause)}`, { cause });
      }
    },
    held: () =>
      asAdmin(async (client) => {
        const { rows } = await client.query<{ rolname: string }>(
          "SELECT rolname FROM pg_roles WHERE starts_with(rolname, 'deed_') AND shobj_description(oid, 'pg_authid') = $1",
          [mark],
        );
        return rows.map(({ rolname }) => rolname);
      }),
    check: () => checkWith(broker, asAdmin, options),
  };
  return broker;
}

/** `deed_` and the id's own part: within the 63 bytes of a name, and never that of a person's role. */
function roleOf(id: string): string {
  return id.startsWith('deed_') ? id : `deed_${id.slice(id.indexOf('_') + 1).toLowerCase()}`;
}

async function connected<T>(config: ClientConfig, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client(config);
  client.on('error', () => {}); // the query that is under way fails and says so
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end().catch(() => {});
  }
}

/** @throws AuthorityError broker */
function readAdmin(file: string): z.infer<typeof admin> {
  const parsed = admin.safeParse(parseStrictJson(readPrivateFile(file)).value);
  if (parsed.success) return parsed.data;
  throw new AuthorityError('broker', `${file} is not {"user": …, "password": …}`);
}

/** Why a task must not be given these roles. With SET ROLE a member has the attributes of a role too. */
async function dangerOf(client: Client, roles: readonly string[]): Promise<string | null> {
  const { rows } = await client.query<{ rolname: string; danger: boolean; member: string | null }>(
    `SELECT rolname, rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls AS danger,
       (SELECT p.rolname FROM pg_roles p WHERE p.rolname = ANY ($2) AND pg_has_role(r.oid, p.oid, 'MEMBER') LIMIT 1) AS member
     FROM pg_roles r WHERE rolname = ANY ($1)`,
    [roles, tooMuch],
  );
  const missing = roles.find((role) => !rows.some(({ rolname }) => rolname === role));
  if (missing !== undefined) return `there is no role ${missing}: make it, and grant it what tasks may do`;
  const found = rows.find(({ danger, member }) => danger || member !== null);
  if (!found) return null;
  const what = found.member === null ? 'administers the server' : `is a member of ${found.member}`;
  return `the role ${found.rolname} ${what}: give tasks a role that can do less`;
}

/** Seen none twice: a login that had passed its check before NOLOGIN shows a moment later. @throws AuthorityError broker */
async function endSessions(client: Client, oid: number, otherwise: string): Promise<void> {
  const latest = Date.now() + timeoutMs;
  for (let quiet = 0; quiet < 2; ) {
    const { rows } = await client.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usesysid = $1', [
      oid,
    ]);
    quiet = rows.length === 0 ? quiet + 1 : 0;
    if (Date.now() > latest) throw new AuthorityError('broker', otherwise);
    if (quiet < 2) await wait(pollMs);
  }
}

/** Where something of the role is: it is cleared in each database by itself. */
async function databasesOf(client: Client, oid: number, own: string): Promise<readonly string[]> {
  const { rows } = await client.query<{ datname: string }>(
    `SELECT DISTINCT datname FROM pg_shdepend s JOIN pg_database d ON d.oid = s.dbid
     WHERE s.refclassid = 'pg_authid'::regclass AND s.refobjid = $1`,
    [oid],
  );
  return [...new Set([own, ...rows.map(({ datname }) => datname)])];
}

async function giveAway(client: Client, role: string, owned: PostgresOptions['owned']): Promise<void> {
  if (owned === 'keep') await client.query(`REASSIGN OWNED BY ${escapeIdentifier(role)} TO CURRENT_USER`);
  await client.query(`DROP OWNED BY ${escapeIdentifier(role)}`);
}

/** The account, then the whole life of a credential: made, used, refused with another password, revoked, refused. */
async function checkWith(
  broker: CredentialBroker,
  asAdmin: <T>(work: (client: Client) => Promise<T>) => Promise<T>,
  { adminFile, roles, name }: PostgresOptions,
): Promise<readonly BrokerCheck[]> {
  const checks: BrokerCheck[] = [];
  const attempt = async (what: string, work: () => Promise<string>): Promise<boolean> => {
    try {
      checks.push({ what, ok: true, detail: await work() });
      return true;
    } catch (error) {
      checks.push({ what, ok: false, detail: messageOf(error) });
      return false;
    }
  };
  const need = (holds: boolean, otherwise: string) => {
    if (!holds) throw new AuthorityError('broker', otherwise);
  };
  const reached = await attempt('administering role', () =>
    asAdmin(async (client) => {
      const { rows } = await client.query<Readonly<Record<string, string | boolean>>>(
        `SELECT rolname, rolsuper, rolcreaterole, rolinherit, current_setting('server_version') AS version
         FROM pg_roles WHERE rolname = current_user`,
      );
      const { rolname, rolsuper, rolcreaterole, rolinherit, version } = rows[0] ?? {};
      need(
        rolsuper === true || rolcreaterole === true,
        `${rolname} lacks CREATEROLE: ALTER ROLE ${rolname} CREATEROLE`,
      );
      need(rolinherit === true, `${rolname} is NOINHERIT and could end no session: ALTER ROLE ${rolname} INHERIT`);
      const note = rolsuper === true ? '; it is a superuser, and CREATEROLE would be enough' : '';
      return `${rolname} on PostgreSQL ${version}${note}`;
    }),
  );
  if (!reached) return checks;
  await attempt('roles for tasks', async () => {
    const danger = await asAdmin((client) => dangerOf(client, roles));
    need(danger === null, danger ?? '');
    return roles.join(', ');
  });
  let trial: { readonly id: string; readonly secret: Secret } | undefined;
  const id = newId('credential', Date.now());
  const minted = await attempt('a credential is made', async () => {
    trial = await broker.mint({ task: 'check', id, targets: ['check'], deadlineMs: Date.now() + 60_000 });
    return trial.id;
  });
  if (minted && trial) {
    const { secret } = trial;
    await attempt('it logs in', async () => {
      const { refused, detail } = await broker.probe(id, secret);
      need(!refused, `${detail}; look at pg_hba.conf and at CONNECT on the database`);
      return detail;
    });
    await attempt('another password is refused', async () => {
      const { refused, detail } = await broker.probe(id, { ...secret, password: toBase64Url(randomBytes(32)) });
      need(refused, `${name} asks for no password: pg_hba.conf trusts this way in; let it say scram-sha-256`);
      return detail;
    });
  }
  await attempt('it is revoked', async () => {
    await broker.revoke(id, null);
    if (!trial) return `nothing of it is left in ${adminFile ? name : ''}`;
    const { refused, detail } = await broker.probe(id, trial.secret);
    need(refused, `${detail}, though its role was dropped`);
    return detail;
  });
  return checks;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
