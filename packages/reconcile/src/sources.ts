import type { SourceEvent } from '@deed/evidence';
import type { Database } from '@deed/store';
import { z } from 'zod';
import type { SourceCheck } from './connector.ts';
import { type AnyConnector, type Configuration, connectors, type Place } from './connectors.ts';
import { ReconcileError } from './errors.ts';

const uid = z.string().min(1).max(1024);

/** Whose doings at a source are ours to explain. Events under a credential that was minted here always are. */
const watch = z.strictObject({
  /** Credentials and principals that act there rightly without Deed: their events are passed over. */
  expected: z.array(uid).max(10_000).default([]),
  /** Only credentials and principals that begin so are looked at; without this, all. */
  only: z.array(uid).max(1000).optional(),
  /** Another source of the same system, which has the changes themselves: what this one tells of a transaction that is there needs no explanation. */
  beside: z.string().min(1).max(63).optional(),
});
export type Watch = z.infer<typeof watch>;

const fields = z.strictObject({
  id: z.string().regex(/^[a-z0-9][a-z0-9._-]{0,62}$/, 'lower-case letters, digits, ".", "_", "-"'),
  kind: z.string().max(64),
  config: z.json(),
  watch: watch.prefault({}),
  /** By how much its clock may differ from ours, in milliseconds; without it what is usual for the kind. */
  skewMs: z.number().int().min(0).max(3_600_000).optional(),
});
export type NewSource = z.input<typeof fields>;

/** Another system's own log that is read. */
export interface Source {
  readonly id: string;
  readonly kind: string;
  readonly config: Configuration;
  readonly watch: Watch;
  readonly skewMs: number;
  readonly position: Place | null;
  readonly watermark: string | null;
  /** What happened before this moment is not covered. Null: registered before this was noted. */
  readonly since: string | null;
}

/**
 * Reads this source from now on: what it recorded before belongs to no task of ours, and only moves the watermark.
 * @throws ReconcileError source, unreachable
 */
export async function addSource(
  db: Database,
  source: NewSource,
  kinds: readonly AnyConnector[] = connectors,
): Promise<void> {
  const parsed = fields.safeParse(source);
  if (!parsed.success) throw new ReconcileError('source', z.prettifyError(parsed.error));
  const { id, kind, skewMs } = parsed.data;
  const connector = connectorOf(kinds, kind);
  const config = connector.config.safeParse(parsed.data.config);
  if (!config.success) throw new ReconcileError('source', `source of kind ${kind}: ${z.prettifyError(config.error)}`);
  const { to, watermark } = await connector.start(config.data);
  db.transaction((tx) => {
    if (tx.get('SELECT 1 FROM source WHERE id = ?', id))
      throw new ReconcileError('source', `source ${id} exists already`);
    tx.run(
      'INSERT INTO source (id, kind, config, position, watermark, since, watch, skew_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
      ...[id, kind, JSON.stringify(config.data), JSON.stringify(to), watermark, new Date().toISOString()],
      ...[JSON.stringify(parsed.data.watch), skewMs ?? connector.skewMs],
    );
  });
}

export function listSources(db: Database): Source[] {
  interface Row {
    readonly id: string;
    readonly kind: string;
    readonly config: string;
    readonly position: string | null;
    readonly watermark: string | null;
    readonly since: string | null;
    readonly watch: string | null;
    readonly skew_ms: number | null;
  }
  return db.all<Row>('SELECT * FROM source ORDER BY id').map((row) => ({
    id: row.id,
    kind: row.kind,
    config: JSON.parse(row.config) as Configuration,
    watch: watch.parse(JSON.parse(row.watch ?? '{}')),
    skewMs: row.skew_ms ?? 0,
    position: row.position === null ? null : (JSON.parse(row.position) as Place),
    watermark: row.watermark,
    since: row.since,
  }));
}

/** Looks whether a source has all that it needs; an empty list: there is nothing that could be looked at. @throws ReconcileError unknown-source, unreachable */
export async function checkSource(db: Database, id: string): Promise<readonly SourceCheck[]> {
  const source = listSources(db).find((each) => each.id === id);
  if (!source) throw new ReconcileError('unknown-source', `there is no source ${id}`);
  return (await connectorOf(connectors, source.kind).check?.(source.config)) ?? [];
}

/** @throws ReconcileError source */
export function connectorOf(kinds: readonly AnyConnector[], kind: string): AnyConnector {
  const connector = kinds.find((each) => each.kind === kind);
  if (connector) return connector;
  const known = kinds.map((each) => each.kind).join(', ');
  throw new ReconcileError('source', `there is no kind of source called ${kind}; there are ${known}`);
}

/** False for what somebody does there with whom this deployment has nothing to do. */
export function isWatched({ expected, only }: Watch, { credential, principal }: SourceEvent): boolean {
  const uids = [credential?.uid, principal?.uid].filter((each) => each !== undefined);
  if (uids.some((each) => expected.includes(each))) return false;
  return only === undefined || uids.some((each) => only.some((prefix) => each.startsWith(prefix)));
}
