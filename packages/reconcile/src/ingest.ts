import { type Authority, deploymentTask, recordWith } from '@deed/authority';
import {
  type BatchJson,
  batchLeaves,
  batchRoot,
  blindCredential,
  blindSize,
  parseStrictJson,
  randomBytes,
  sha256,
  toHex,
  utf8,
} from '@deed/evidence';
import type { Ledger } from '@deed/ledger';
import type { Database } from '@deed/store';
import type { Gap, Reading, SourceRecord } from './connector.ts';
import type { AnyConnector, Place } from './connectors.ts';
import { connectorOf, isWatched, type Source } from './sources.ts';

/** What one statement lists of what is wrong with a record, and how long each may be. */
const maxProblems = 50;
const maxProblemLength = 400;
/** Records of one batch, and so of one statement. */
const maxRecords = 10_000;
/** Gaps of one statement. */
const maxGaps = 50;

export interface IngestOptions {
  readonly db: Database;
  readonly ledger: Ledger;
  readonly authority: Authority;
  readonly connectors: readonly AnyConnector[];
}

export interface Ingested {
  readonly source: string;
  readonly events: number;
  readonly watermark: string | null;
  readonly problems: readonly string[];
}

/** How a credential is named in a batch, and what opens the name. */
interface Blinded {
  readonly credential: string;
  readonly blind: string;
  readonly task: string | null;
}

/** A record with the name of its object and its blinded credential. */
interface Named extends SourceRecord {
  readonly name: string;
  readonly under: Blinded;
}

/**
 * Reads what a source recorded since the last time, and anchors it as one batch a reading (docs/formats/events.md).
 * @throws ReconcileError unreachable, source
 */
export async function ingest(options: IngestOptions, source: Source): Promise<Ingested> {
  const connector = connectorOf(options.connectors, source.kind);
  let events = 0;
  let { watermark } = source;
  let position = source.position;
  const problems: string[] = [];
  for (let more = true; more; ) {
    if (position === null) position = (await connector.start(source.config)).to;
    const reading = await connector.read(source.config, position, maxRecords);
    const at = { ...source, position, watermark };
    const anchored = await anchor(options, connector, at, reading);
    events += anchored.events;
    problems.push(...anchored.problems);
    ({ to: position, watermark } = reading);
    more = reading.more && watermark !== null;
  }
  return { source: source.id, events, watermark, problems: statable(problems) };
}

/** As many and as long as a statement may list. */
function statable(problems: readonly string[]): readonly string[] {
  const short = problems.slice(0, maxProblems).map((problem) => problem.slice(0, maxProblemLength).toWellFormed());
  const left = problems.length - short.length;
  return left > 0 ? [...short, `and ${left} more`] : short;
}

/** As many as a statement may list; the last of more reaches as far as all that are left. */
function statableGaps(gaps: readonly Gap[]): { readonly from: string; readonly to: string }[] {
  const spans = gaps.map(({ from, to }) => ({ from, to }));
  const left = spans.slice(maxGaps - 1);
  if (left.length < 2) return spans;
  const all = {
    from: left.map(({ from }) => from).sort()[0] ?? '',
    to:
      left
        .map(({ to }) => to)
        .sort()
        .at(-1) ?? '',
  };
  return [...spans.slice(0, maxGaps - 1), all];
}

/** @returns how many events were new, and what was wrong */
async function anchor(
  { db, ledger, authority }: IngestOptions,
  connector: AnyConnector,
  source: Source,
  reading: Reading<Place>,
): Promise<{ readonly events: number; readonly problems: readonly string[] }> {
  const readAt = new Date().toISOString();
  const blinds = new Map<string, Blinded>();
  const seen = new Set<string>();
  const named: Named[] = [];
  const unread: string[] = [];
  for (const { raw, event } of reading.records) {
    const id = event.credential?.uid ?? '';
    const under = blinds.get(id) ?? blinded(authority, id);
    blinds.set(id, under);
    if (under.task === null && !isWatched(source.watch, event)) continue;
    if (seen.has(event.id) || db.get('SELECT 1 FROM event WHERE source = ? AND source_event = ?', source.id, event.id))
      continue;
    seen.add(event.id);
    if (under.task !== null && connector.rule && !isStrict(raw)) {
      unread.push(
        `event ${event.id} is of a task’s credential and no JSON that is read in one way only: it is passed over`,
      );
      continue;
    }
    const { sha256: name } = authority.vault.stageApart(under.task ?? deploymentTask, raw, 'application/octet-stream');
    named.push({ raw, event, name, under });
  }
  const gaps = statableGaps(reading.gaps ?? []);
  const problems = statable([...(reading.gaps ?? []).map(({ why }) => why), ...reading.problems, ...unread]);
  const isNews = named.length > 0 || reading.watermark !== source.watermark || problems.length > 0;
  if (!isNews || reading.watermark === null) return { events: 0, problems };
  const groups = [...Map.groupBy(named, ({ under }) => under.credential)].map(([credential, events]) => ({
    credential,
    events: events.map(({ name }) => name),
  }));
  const leaves = batchLeaves(groups);
  const disclosed = [...blinds].flatMap(([id, { credential, blind }]) => {
    const events = groups.find((group) => group.credential === credential)?.events;
    return events ? [{ credential, id, blind, events }] : [];
  });
  const tree: BatchJson = { v: 1, leaves, disclosed };
  const root = batchRoot(leaves);
  const rule = connector.rule?.(source.config);
  const mapping = rule && authority.vault.put(deploymentTask, rule, 'application/vnd.deed.mapping+json');
  // The records wait in the vault, and become durable with the statement over them.
  const recorded = recordWith(
    ledger,
    authority.vault,
  )({
    predicate: 'events-ingested',
    place: { series: `source:${source.id}` },
    subject: { name: `source:${source.id}`, sha256: root },
    observed: 'gateway-observed',
    separation: { agent: 'none', tool: 'none' },
    body: {
      source: source.id,
      reader: { name: connector.kind, version: connector.version, ...(mapping ? { mapping } : {}) },
      batch: { root, credentials: leaves.length, events: named.length },
      position: { from: digestOf(source.position), to: digestOf(reading.to) },
      watermark: reading.watermark,
      coverage: [...reading.coverage],
      problems: [...problems],
      ...(gaps.length > 0 ? { gaps } : {}),
    },
    apply: (tx, { digest }) => {
      tx.run(
        'UPDATE source SET position = ?, watermark = ? WHERE id = ?',
        ...[JSON.stringify(reading.to), reading.watermark, source.id],
      );
      tx.run('INSERT INTO batch (digest, source, tree) VALUES (?, ?, ?)', digest, source.id, JSON.stringify(tree));
      for (const [n, { from, to }] of gaps.entries())
        tx.run('INSERT INTO gap (id, source, since, until) VALUES (?, ?, ?, ?)', `${digest}:${n}`, source.id, from, to);
      for (const { event, name, under } of named) {
        tx.run(
          `INSERT INTO event (source, source_event, name, batch, credential, task, time, event, read_at)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
          ...[
            source.id,
            event.id,
            name,
            digest,
            under.credential,
            under.task,
            event.time,
            JSON.stringify(event),
            readAt,
          ],
        );
      }
    },
  });
  await recorded.durable;
  return { events: named.length, problems };
}

/** What a task's case will hold is read again by others: there must be one way of reading it. */
function isStrict(raw: Uint8Array): boolean {
  try {
    parseStrictJson(raw);
    return true;
  } catch {
    return false;
  }
}

/** A minted credential is blinded as task-opened names it; any other anew in each batch. */
function blinded(authority: Authority, id: string): Blinded {
  const minted = authority.credentials.get(id);
  if (minted) return { credential: minted.blinded, blind: toHex(minted.blind), task: minted.task };
  const blind = randomBytes(blindSize);
  return { credential: blindCredential(blind, id), blind: toHex(blind), task: null };
}

/** A position as the statement names it: its digest, since paths and sizes are nobody's business. */
function digestOf(position: Place | null): string {
  return toHex(sha256(utf8(JSON.stringify(position))));
}
