import { z } from 'zod';
import { fromBase64, toHex, utf8 } from '../encoding.ts';
import { DeedError } from '../errors.ts';
import { parseStrictJson } from '../json.ts';
import { sha256 } from '../platform.ts';
import { type Cell, type PgMessage, readPgMessage } from './pgoutput.ts';
import type { Activity, Comparable, SourceEvent } from './source-event.ts';

/** The prefix of the messages by which the stamping trigger says whose session changes rows. */
export const stampPrefix = 'deed.stamp';
const maxText = 1024;

const container = z.strictObject({
  v: z.literal(1),
  /** Messages of the replication protocol, base64. */
  begin: z.base64(),
  relation: z.base64(),
  change: z.base64(),
  /** Columns of the table's primary key, as its catalog names them: they name the row, and nothing else is made of them. */
  key: z.array(z.string()).max(32),
  /** Place of the change in its transaction. */
  n: z.number().int().min(0),
  /** What was said in the transaction of whose session it was: each once. */
  stamps: z.array(z.base64()).max(16),
});
/** One changed row as it is kept: the exact messages of the server, and no word of ours about them. */
export type PostgresRecord = z.infer<typeof container>;

const stamp = z.looseObject({ role: z.string().min(1).max(63), app: z.string().optional() });

export function encodePostgresRecord({
  begin,
  relation,
  change,
  key,
  n,
  stamps,
}: Omit<PostgresRecord, 'v'>): Uint8Array {
  return utf8(JSON.stringify({ v: 1, begin, relation, change, key, n, stamps }));
}

/**
 * What one changed row of a PostgreSQL database says: pure, and the same for ever. Who did it is what the stamps say, if they agree: the
 * trigger always makes a true one, so that a forged one beside it is noticed and attributes nothing.
 * @returns why it is no record, as a text
 */
export function readPostgresEvent(raw: Uint8Array): SourceEvent | string {
  try {
    const parsed = container.safeParse(parseStrictJson(raw).value);
    if (!parsed.success) return `it has another form: ${z.prettifyError(parsed.error)}`;
    const { begin, relation, change, key, n, stamps } = parsed.data;
    const [opening, table, row] = [begin, relation, change].map((text) => readPgMessage(fromBase64(text)));
    if (opening?.kind !== 'begin' || table?.kind !== 'relation' || !row) return 'its messages are of other kinds';
    return eventOf(
      opening,
      table,
      row,
      { key, n },
      stamps.map((text) => readPgMessage(fromBase64(text))),
    );
  } catch (error) {
    if (error instanceof DeedError) return error.message;
    throw error;
  }
}

type Begin = Extract<PgMessage, { kind: 'begin' }>;
type Relation = Extract<PgMessage, { kind: 'relation' }>;

const activities: Readonly<Record<string, Activity>> = {
  insert: 'create',
  update: 'update',
  delete: 'delete',
  truncate: 'delete',
};

function eventOf(
  begin: Begin,
  table: Relation,
  row: PgMessage,
  { key: columns, n }: Pick<PostgresRecord, 'key' | 'n'>,
  stamps: readonly PgMessage[],
): SourceEvent | string {
  const activity = activities[row.kind];
  if (activity === undefined) return 'its message is no change of rows';
  const isOf =
    'relation' in row ? row.relation === table.id : row.kind === 'truncate' && row.relations.includes(table.id);
  if (!isOf) return 'its table is another';
  const before = 'before' in row ? row.before : null;
  const after = 'after' in row ? row.after : null;
  const said = authorOf(stamps);
  const name = `${table.schema}.${table.table}`;
  const key = keyOf(table, columns, after ?? before);
  return {
    id: `${begin.lsn.toString(16).toUpperCase()}:${n}`,
    time: new Date(begin.timeMs).toISOString(),
    class_uid: 6005,
    activity,
    operation: row.kind.toUpperCase(),
    status: 'success',
    credential: said === null ? null : { kind: 'postgres-role', uid: said.role },
    principal: said === null ? null : { uid: said.role, type: 'role' },
    session: null,
    correlation: { transaction: String(begin.xid), ...(said?.task === undefined ? {} : { task: said.task }) },
    resource: { type: key === '' ? 'table' : 'row', uid: key === '' ? name : `${name}/${key}`, parent: name },
    fields: { ...valuesOf('before', table, before), ...valuesOf('after', table, after) },
    network: null,
  };
}

/** Whom the stamps name, if they all name the same. */
function authorOf(stamps: readonly PgMessage[]): { readonly role: string; readonly task: string | undefined } | null {
  let author: { role: string; task: string | undefined } | null = null;
  for (const message of stamps) {
    if (message.kind !== 'message' || message.prefix !== stampPrefix) return null;
    const said = stampOf(message.content);
    if (said === null || (author !== null && author.role !== said.role)) return null;
    const [, task] = /^deed:(.{1,64})$/.exec(said.app ?? '') ?? [];
    author = { role: said.role, task };
  }
  return author;
}

/** Whoever writes may send what is no stamp: that names nobody, and hides no change. */
function stampOf(content: Uint8Array): z.infer<typeof stamp> | null {
  try {
    return stamp.safeParse(parseStrictJson(content).value).data ?? null;
  } catch (error) {
    if (error instanceof DeedError) return null;
    throw error;
  }
}

function keyOf({ columns }: Relation, key: readonly string[], cells: readonly Cell[] | null): string {
  if (cells === null) return '';
  return columns
    .flatMap(({ name }, i) => (key.includes(name) ? [`${name}=${shortened(cells[i] ?? 'null')}`] : []))
    .join(',');
}

function valuesOf(when: string, { columns }: Relation, cells: readonly Cell[] | null): Record<string, Comparable> {
  const found: Record<string, Comparable> = {};
  columns.forEach(({ name }, i) => {
    const cell = cells?.[i];
    if (cell !== undefined) found[`${when}.${name}`] = cell === null ? null : shortened(cell);
  });
  return found;
}

/** As in every event: a longer text stands as its digest. */
function shortened(text: string): string {
  return text.length <= maxText ? text : `sha256:${toHex(sha256(utf8(text)))}`;
}
