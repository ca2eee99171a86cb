import { readFileSync, statSync } from 'node:fs';
import pg from 'pg';
import { z } from 'zod';
import { ReconcileError } from '../errors.ts';

export const postgresConfig = z.strictObject({
  /** A host, or the folder of a unix socket. */
  host: z.string().min(1).max(255),
  port: z.number().int().min(1).max(65_535).default(5432),
  database: z.string().min(1).max(63),
  /** File of mode 0600 with user and password of a role with REPLICATION. */
  readerFile: z.string().startsWith('/'),
  /** Of this slot, with the plugin pgoutput, nobody else reads. */
  slot: z.string().regex(/^[a-z0-9_]{1,63}$/),
  publication: z.string().min(1).max(63),
  tls: z.boolean().default(true),
  caFile: z.string().startsWith('/').optional(),
  /** Columns whose values are never kept, each as `schema.table.column`. */
  redact: z
    .array(z.string().regex(/^[^.]+\.[^.]+\.[^.]+$/, 'SCHEMA.TABLE.COLUMN'))
    .max(1000)
    .default([]),
});
export type PostgresConfig = z.infer<typeof postgresConfig>;

const login = z.strictObject({ user: z.string().min(1), password: z.string() });
const timeoutMs = 30_000;

/** One session of the reader's role, ended afterwards. @throws ReconcileError unreachable */
export async function inSession<T>(config: PostgresConfig, use: (client: pg.Client) => Promise<T>): Promise<T> {
  const { host, port, database, tls, caFile } = config;
  const client = new pg.Client({
    ...{ host, port, database, ...loginOf(config.readerFile) },
    ...{ application_name: 'deed-source', connectionTimeoutMillis: timeoutMs, query_timeout: timeoutMs },
    ssl: tls
      ? { rejectUnauthorized: true, ...(caFile === undefined ? {} : { ca: readFileSync(caFile, 'utf8') }) }
      : false,
  });
  client.on('error', () => {});
  try {
    await client.connect();
    return await use(client);
  } catch (cause) {
    if (cause instanceof ReconcileError) throw cause;
    throw new ReconcileError('unreachable', `the database ${database} did not answer: ${(cause as Error).message}`, {
      cause,
    });
  } finally {
    await client.end().catch(() => {});
  }
}

function loginOf(file: string): z.infer<typeof login> {
  const { mode } = statSync(file, { throwIfNoEntry: false }) ?? {};
  if (mode === undefined) throw new ReconcileError('source', `${file} is not there`);
  if ((mode & 0o077) !== 0) throw new ReconcileError('source', `others may open ${file}: chmod 600 ${file}`);
  const parsed = login.safeParse(JSON.parse(readFileSync(file, 'utf8')));
  if (!parsed.success) throw new ReconcileError('source', `${file} has not the form {"user": …, "password": …}`);
  return parsed.data;
}
