import {
  encodePostgresRecord,
  type PgMessage,
  readPgMessage,
  readPostgresEvent,
  stampPrefix,
  toBase64,
} from '@deed/evidence';
import type pg from 'pg';
import type { Connector, Reading, SourceRecord } from '../connector.ts';
import { ReconcileError } from '../errors.ts';
import { checkPostgres } from './check.ts';
import { hiddenColumns, redactChange } from './redact.ts';
import { inSession, type PostgresConfig, postgresConfig } from './session.ts';

/** How far the slot was read: the end of the newest transaction that was kept, as the server writes it. */
interface PostgresPosition {
  readonly lsn: string;
  readonly watermark: string | null;
}

/** More different ones than a transaction can honestly have name nobody, as two do. */
const maxStamps = 16;

const coverage = [
  'rows that were inserted, changed and deleted in the tables of the publication, with their values before and after',
  'tables of the publication that were emptied',
] as const;

/**
 * The changed rows of a PostgreSQL database, by a logical replication slot with the plugin pgoutput: exact values before and after, in the order of
 * commits, none lost while the slot lives (docs/sources/postgres.md). What was kept is confirmed to the slot at the next reading.
 */
export const postgresConnector: Connector<PostgresConfig, PostgresPosition> = {
  kind: 'postgres',
  version: '1',
  config: postgresConfig,
  start: (config) =>
    inSession(config, async (client) => {
      await makeSlot(client, config.slot);
      const { lsn } = await slotOf(client, config.slot);
      const watermark = await now(client);
      return { records: [], to: { lsn, watermark }, watermark, coverage, problems: [], more: false };
    }),
  read: (config, from, limit) => inSession(config, (client) => read(client, config, from, limit)),
  check: checkPostgres,
  skewMs: 2_000,
};

async function makeSlot(client: pg.Client, slot: string): Promise<void> {
  const { rows } = await client.query('SELECT 1 FROM pg_replication_slots WHERE slot_name = $1', [slot]);
  if (rows.length === 0) await client.query("SELECT pg_create_logical_replication_slot($1, 'pgoutput')", [slot]);
}

interface Slot {
  readonly lsn: string;
  readonly lost: string | null;
}

async function slotOf(client: pg.Client, slot: string): Promise<Slot> {
  const { rows } = await client.query<{ lsn: string; plugin: string; wal_status: string; active: boolean }>(
    'SELECT confirmed_flush_lsn::text AS lsn, plugin, wal_status, active FROM pg_replication_slots WHERE slot_name = $1',
    [slot],
  );
  const [found] = rows;
  if (!found)
    return { lsn: '0/0', lost: `the slot ${slot} is gone: what happened since it was read last is not covered` };
  if (found.plugin !== 'pgoutput')
    throw new ReconcileError('source', `the slot ${slot} has the plugin ${found.plugin}, not pgoutput`);
  if (found.active) throw new ReconcileError('unreachable', `somebody else reads the slot ${slot} now`);
  const lost =
    found.wal_status === 'lost'
      ? `the slot ${slot} was invalidated: what happened since it was read last is not covered`
      : null;
  return { lsn: found.lsn, lost };
}

async function now(client: pg.Client): Promise<string> {
  const { rows } = await client.query<{ now: Date }>('SELECT clock_timestamp() AS now');
  return (rows[0]?.now ?? new Date(0)).toISOString();
}

async function read(
  client: pg.Client,
  { slot, publication, redact }: PostgresConfig,
  from: PostgresPosition,
  limit: number,
): Promise<Reading<PostgresPosition>> {
  const { lsn, lost } = await slotOf(client, slot);
  if (lost !== null) {
    const { watermark } = from;
    return { records: [], to: from, watermark, coverage: [], problems: [`missing coverage: ${lost}`], more: false };
  }
  const problems: string[] = [];
  const isAhead = BigInt(hexOf(lsn)) > BigInt(hexOf(from.lsn));
  if (!isAhead && lsn !== from.lsn)
    await client.query('SELECT pg_replication_slot_advance($1, $2::pg_lsn)', [slot, from.lsn]);
  const reached = await now(client);
  const why = `missing coverage: somebody else read the slot ${slot} from ${from.lsn} to ${lsn}`;
  const gaps = isAhead ? [{ from: from.watermark ?? new Date(0).toISOString(), to: reached, why }] : [];
  const { rows } = await client.query<{ data: Buffer }>(
    `SELECT data FROM pg_logical_slot_peek_binary_changes($1, NULL, $2, 'proto_version', '1', 'publication_names', $3, 'messages', 'true')`,
    [slot, limit, publication],
  );
  const keys = await primaryKeys(client);
  const unpacked = unpack(
    rows.map(({ data }) => data),
    keys,
    new Set(redact),
    problems,
  );
  const more = rows.length >= limit;
  const to = {
    lsn: unpacked.endLsn ?? (isAhead ? lsn : from.lsn),
    watermark: more ? (unpacked.newest ?? from.watermark) : reached,
  };
  const withheld = redact.length > 0 ? [`all but the values of ${redact.join(', ')}`] : [];
  const told = [...coverage, ...withheld];
  return { records: unpacked.records, to, watermark: to.watermark, coverage: told, problems, gaps, more };
}

function hexOf(lsn: string): string {
  const [high = '0', low = '0'] = lsn.split('/');
  return `0x${high}${low.padStart(8, '0')}`;
}

function lsnText(lsn: bigint): string {
  return `${(lsn >> 32n).toString(16).toUpperCase()}/${(lsn & 0xffff_ffffn).toString(16).toUpperCase()}`;
}

async function primaryKeys(client: pg.Client): Promise<ReadonlyMap<number, readonly string[]>> {
  const { rows } = await client.query<{ relation: number; names: string[] }>(
    `SELECT i.indrelid::int8::int AS relation, array_agg(a.attname::text ORDER BY a.attnum) AS names FROM pg_index i
     JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey) WHERE i.indisprimary GROUP BY 1`,
  );
  return new Map(rows.map(({ relation, names }) => [relation, names]));
}

/** The transactions among the messages, as one record a changed row. A record waits for the end of its transaction: its stamps may come late. */
function unpack(
  messages: readonly Buffer[],
  keys: ReadonlyMap<number, readonly string[]>,
  redact: ReadonlySet<string>,
  problems: string[],
) {
  const records: SourceRecord[] = [];
  const relations = new Map<number, string>();
  const hidden = new Map<number, ReadonlySet<number>>();
  let begin: { readonly raw: string; readonly timeMs: number } | null = null;
  let changes: { readonly relation: number; readonly raw: string }[] = [];
  /** By what they say, the first of each: a statement makes one every time. */
  let stamps = new Map<string, string>();
  let endLsn: string | null = null;
  let newest: string | null = null;
  for (const data of messages) {
    const raw = toBase64(data);
    const message: PgMessage = readPgMessage(data);
    if (message.kind === 'begin') {
      begin = { raw, timeMs: message.timeMs };
      changes = [];
      stamps = new Map();
    } else if (message.kind === 'relation') {
      relations.set(message.id, raw);
      hidden.set(message.id, hiddenColumns(data, redact));
    } else if (message.kind === 'message' && message.prefix === stampPrefix) {
      const said = Buffer.from(message.content).toString('latin1');
      if (!stamps.has(said)) stamps.set(said, raw);
    } else if (message.kind === 'truncate') for (const relation of message.relations) changes.push({ relation, raw });
    else if ('relation' in message) {
      const kept = redactChange(data, hidden.get(message.relation) ?? new Set());
      changes.push({ relation: message.relation, raw: toBase64(kept) });
    } else if (message.kind === 'commit' && begin) {
      for (const [n, change] of changes.entries()) {
        const relation = relations.get(change.relation) ?? '';
        const key = keys.get(change.relation) ?? [];
        const told = [...stamps.values()].slice(0, maxStamps);
        const record = encodePostgresRecord({
          begin: begin.raw,
          relation,
          change: change.raw,
          key: [...key],
          n,
          stamps: told,
        });
        const event = readPostgresEvent(record);
        if (typeof event === 'string') problems.push(`a change before ${lsnText(message.endLsn)}: ${event}`);
        else {
          records.push({ raw: record, event });
          if (event.credential === null)
            problems.push(
              `transaction ${event.correlation.transaction}: ${told.length === 0 ? 'no stamp says' : 'its stamps do not agree on'} whose session changed ${event.resource?.parent}`,
            );
        }
      }
      newest = new Date(begin.timeMs).toISOString();
      endLsn = lsnText(message.endLsn);
      begin = null;
    }
  }
  return { records, endLsn, newest };
}
