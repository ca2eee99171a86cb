import { type Authority, deploymentTask } from '@deed/authority';
import {
  type BatchJson,
  batchLeaves,
  batchRoot,
  blindCredential,
  blindSize,
  randomBytes,
  sha256,
  toHex,
  utf8,
} from '@deed/evidence';
import type { Ledger } from '@deed/ledger';
import type { Database } from '@deed/store';
import {
  type ForgeBatch,
  type ForgeEvent,
  type ForgePosition,
  readForgeLog,
  startOfForgeLog,
} from './git/forge-log.ts';
import type { Source } from './sources.ts';

/** What one statement lists of what is wrong with a record, and how long each may be. */
const maxProblems = 50;
const maxProblemLength = 400;

const reader = { name: 'git-forge', version: '1' } as const;

export interface IngestOptions {
  readonly db: Database;
  readonly ledger: Ledger;
  readonly authority: Authority;
}

export interface Ingested {
  readonly source: string;
  readonly events: number;
  readonly watermark: string | null;
  readonly problems: readonly string[];
}

/** An event with the name of its object and its blinded credential. */
interface Named {
  readonly event: ForgeEvent;
  readonly name: string;
  readonly credential: string;
  readonly task: string | null;
}

/** Reads what a source recorded since the last time, and anchors it as one batch (docs/formats/events.md). */
export async function ingest({ db, ledger, authority }: IngestOptions, source: Source): Promise<Ingested> {
  const from: ForgePosition = source.position ?? startOfForgeLog;
  const read = await readForgeLog(source.config.dir, from);
  const batch = { ...read, problems: statable(read.problems) };
  const fresh = batch.events.filter(
    ({ sourceEventId }) =>
      !db.get('SELECT 1 FROM event WHERE source = ? AND source_event = ?', source.id, sourceEventId),
  );
  const result = { source: source.id, events: fresh.length, watermark: batch.watermark, problems: batch.problems };
  const isNews = fresh.length > 0 || batch.watermark !== source.watermark || batch.problems.length > 0;
  if (!isNews || batch.watermark === null) return result;
  const blinds = new Map<
    string,
    { readonly credential: string; readonly blind: string; readonly task: string | null }
  >();
  const named = fresh.map((event): Named => {
    const id = event.credential ?? '';
    const known = blinds.get(id) ?? blinded(authority, id);
    blinds.set(id, known);
    const { sha256: name } = authority.vault.putApart(known.task ?? deploymentTask, event.raw, 'application/json');
    return { event, name, credential: known.credential, task: known.task };
  });
  await anchor(ledger, source, batch, named, blinds);
  return result;
}

/** As many and as long as a statement may list. */
function statable(problems: readonly string[]): readonly string[] {
  const short = problems.slice(0, maxProblems).map((problem) => problem.slice(0, maxProblemLength).toWellFormed());
  const left = problems.length - short.length;
  return left > 0 ? [...short, `and ${left} more`] : short;
}

/** A minted credential is blinded as task-opened names it; any other anew in each batch. */
function blinded(authority: Authority, id: string) {
  const minted = authority.credentials.get(id);
  if (minted) return { credential: minted.blinded, blind: toHex(minted.blind), task: minted.task };
  const blind = randomBytes(blindSize);
  return { credential: blindCredential(blind, id), blind: toHex(blind), task: null };
}

async function anchor(
  ledger: Ledger,
  source: Source,
  batch: ForgeBatch,
  named: readonly Named[],
  blinds: ReadonlyMap<string, { readonly credential: string; readonly blind: string }>,
): Promise<void> {
  const groups = [...Map.groupBy(named, ({ credential }) => credential)].map(([credential, events]) => ({
    credential,
    events: events.map(({ name }) => name),
  }));
  const leaves = batchLeaves(groups);
  const disclosed = [...blinds].flatMap(([id, { credential, blind }]) => {
    const events = groups.find((group) => group.credential === credential)?.events;
    return events ? [{ credential, id, blind, events }] : [];
  });
  const tree: BatchJson = { v: 1, leaves, disclosed };
  const recorded = ledger.record({
    predicate: 'events-ingested',
    place: { series: `source:${source.id}` },
    subject: { name: `source:${source.id}`, sha256: batchRoot(leaves) },
    observed: 'gateway-observed',
    separation: { agent: 'none', tool: 'none' },
    body: {
      source: source.id,
      reader,
      batch: { root: batchRoot(leaves), credentials: leaves.length, events: named.length },
      position: { from: digestOf(batch.from), to: digestOf(batch.to) },
      watermark: batch.watermark,
      coverage: batch.coverage,
      problems: batch.problems,
    },
    apply: (tx, { digest }) => {
      tx.run(
        'UPDATE source SET position = ?, watermark = ? WHERE id = ?',
        JSON.stringify(batch.to),
        batch.watermark,
        source.id,
      );
      tx.run('INSERT INTO batch (digest, source, tree) VALUES (?, ?, ?)', digest, source.id, JSON.stringify(tree));
      for (const { event, name, credential, task } of named) {
        tx.run(
          `INSERT INTO event (source, source_event, name, batch, credential, task, kind, time, repository, ref, old, new, reason)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
          source.id,
          event.sourceEventId,
          name,
          digest,
          credential,
          task,
          event.kind,
          event.time,
          event.repository,
          event.ref ?? null,
          event.old ?? null,
          event.new ?? null,
          event.reason ?? null,
        );
      }
    },
  });
  await recorded.durable;
}

/** A position as the statement names it: its digest, since paths and sizes are nobody's business. */
function digestOf(position: ForgePosition): string {
  return toHex(sha256(utf8(JSON.stringify(position))));
}
