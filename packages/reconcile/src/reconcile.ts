import type { Authority } from '@deed/authority';
import { newId, parseStatement, type StatementWith } from '@deed/evidence';
import type { Ledger, Recorded } from '@deed/ledger';
import type { Database } from '@deed/store';
import { type AnyConnector, connectors } from './connectors.ts';
import { Contracts, reachOf } from './contracts.ts';
import { ReconcileError } from './errors.ts';
import { eventsOf } from './events-of.ts';
import { type Finding, Findings } from './findings.ts';
import { gapsSince } from './gaps.ts';
import { type Ingested, ingest } from './ingest.ts';
import type { Answer, Confirmation, NewFinding } from './match/claim.ts';
import { match, rules } from './match/match.ts';
import { foreign } from './match/tell.ts';
import { eventsNamed, openEvents, transactionsBeside } from './open-events.ts';
import { connectorOf, listSources, type Source } from './sources.ts';
import { readTask, type TaskRecord } from './task-record.ts';

export interface ReconcileOptions {
  readonly db: Database;
  readonly ledger: Ledger;
  readonly authority: Authority;
  readonly now: () => number;
}

/** What is known of one task now. */
interface Judged {
  readonly task: string;
  /** False: what was said of it before still says all. */
  readonly isNew: boolean;
  /** Actions confirmed by this run. */
  readonly confirmed: readonly string[];
  readonly pending: number;
  /** All findings about the task, those of earlier runs too. */
  readonly findings: readonly Finding[];
}

export interface Reconciled extends Judged {
  readonly ingested: readonly Ingested[];
}

export interface Swept {
  readonly ingested: readonly Ingested[];
  /** New findings of no task: what was done under credentials that were never issued here. */
  readonly foreign: readonly Finding[];
  /** The tasks of which something new was said. */
  readonly tasks: readonly Judged[];
}

/** Characters of the explanation of a finding (docs/formats/predicates.md). */
const maxWhy = 2000;
/** Events that one finding cites. */
const maxEvents = 1000;
const maxAmbient = 10_000;
/** Statements that are recorded before those before them are waited for. */
const maxAtOnce = 256;
/** How long after the end of a task its effects may be expected. */
const maxAfterMs = 86_400_000;
/** Gaps of a source that one reconciled tells of, the newest. */
const maxGapsTold = 20;
/** Tasks, the newest first, among which a sweep looks for those that were never judged. */
const maxTasks = 1000;

const header = { observed: 'downstream-confirmed', separation: { agent: 'none', tool: 'none' } } as const;

/** Reads every source, and says what its records confirm of a task, what they do not explain, and how far they reach. */
export class Reconcile {
  private readonly options: ReconcileOptions & { readonly connectors: readonly AnyConnector[] };
  readonly contracts: Contracts;
  readonly findings: Findings;
  /** Sources that were not reached at the newest run, and why. */
  private readonly unreached = new Map<string, string>();
  private running: Promise<unknown> = Promise.resolve();

  constructor(options: ReconcileOptions) {
    this.options = { ...options, connectors };
    this.contracts = new Contracts(options);
    this.findings = new Findings(options);
    options.authority.erasures.register(eventsOf(options.db));
  }

  /** One run at a time: a run reads what the one before it wrote. @throws ReconcileError unknown-task, erased */
  run(task: string): Promise<Reconciled> {
    return this.alone(async () => {
      const { ledger } = this.options;
      if (!ledger.series(task).at(0)) throw new ReconcileError('unknown-task', `there is no task ${task}`);
      const ingested = await this.ingestAll();
      await this.tellStrangers();
      return { ...(await this.judge(task, 'say')), ingested };
    });
  }

  /**
   * Reads every source, and judges each task that may have something new: events that nothing explains, actions that were pending, and tasks
   * that ended and were never judged. Where nothing is new nothing is said.
   */
  sweep(): Promise<Swept> {
    return this.alone(async () => {
      const ingested = await this.ingestAll();
      const foreign = await this.tellStrangers();
      const tasks: Judged[] = [];
      for (const task of this.restless()) {
        try {
          const judged = await this.judge(task, 'if-new');
          if (judged.isNew) tasks.push(judged);
        } catch (cause) {
          // What was erased is not judged again.
          if (!(cause instanceof ReconcileError && cause.code === 'erased')) throw cause;
        }
      }
      return { ingested, foreign, tasks };
    });
  }

  private alone<T>(work: () => Promise<T>): Promise<T> {
    const { custody } = this.options.authority;
    const next = this.running.then(() => custody.shared(work));
    this.running = next.catch(() => undefined);
    return next;
  }

  /** The tasks of which a sweep may have something to say. */
  private restless(): readonly string[] {
    const { db, authority } = this.options;
    const open = db.all<{ task: string }>(
      'SELECT DISTINCT task FROM event WHERE task IS NOT NULL AND explained IS NULL',
    );
    const pending = db.all<{ task: string }>('SELECT task FROM reconciliation WHERE pending > 0');
    const known = new Set(db.all<{ task: string }>('SELECT task FROM reconciliation').map(({ task }) => task));
    const ended = authority.tasks
      .list(maxTasks)
      .filter(({ id }) => !known.has(id) && !authority.tasks.isOpen(id) && authority.credentials.ofTask(id).length > 0);
    return [...new Set([...open, ...pending].map(({ task }) => task).concat(ended.map(({ id }) => id)))];
  }

  private async judge(task: string, mode: 'say' | 'if-new'): Promise<Judged> {
    const { db, ledger, authority } = this.options;
    const sources = listSources(db);
    const record = readTask(ledger, authority, task, { sources, contracts: this.contracts });

    const { judged } = record;
    const answer = match({
      task: { opened: record.opened.digest, begun: record.opened.time, closed: record.closed },
      claims: record.claims.filter(({ statement }) => !judged.has(statement)),
      judged: record.claims.flatMap((claim) => {
        const events = judged.get(claim.statement);
        return events ? [{ claim, events: eventsNamed(db, events) }] : [];
      }),
      events: openEvents(db, task),
      reach: sources.map((source) => {
        const { id, watermark, since, skewMs } = source;
        const { isLossy = false } = connectorOf(this.options.connectors, source.kind);
        return { source: id, watermark, since, skewMs, isLossy, gaps: this.gapsOf(source, record) };
      }),
      ...reachOf(this.contracts.list(), record.allow),
      beside: transactionsBeside(db, task, sources),
    });
    const written: Recorded[] = [];
    for (const confirmation of answer.confirmed) {
      const recorded = this.confirm(task, confirmation);
      written.push(recorded, ...this.findings.supersede(task, confirmation.claim.statement, recorded.digest));
      await paced(written);
    }
    for (const finding of answer.findings) {
      this.find(task, finding, written);
      await paced(written);
    }
    await Promise.all(written.map(({ durable }) => durable));
    const findings = this.findings.list(task);
    const before = db.get<{ pending: number }>('SELECT pending FROM reconciliation WHERE task = ?', task);
    const isNew =
      before?.pending !== answer.pending ||
      answer.confirmed.length + answer.findings.length + answer.ambient.length > 0;
    const confirmed = db.all('SELECT 1 FROM confirmation WHERE task = ?', task).length;
    if (isNew || mode === 'say') await this.conclude(record, confirmed, answer).durable;
    return {
      ...{ task, isNew },
      confirmed: answer.confirmed.map(({ claim }) => claim.action),
      pending: answer.pending,
      findings,
    };
  }

  /** A source that cannot be reached keeps none of the others from being read. */
  private async ingestAll(): Promise<readonly Ingested[]> {
    const ingested: Ingested[] = [];
    for (const source of listSources(this.options.db)) {
      try {
        ingested.push(await ingest(this.options, source));
        this.unreached.delete(source.id);
      } catch (cause) {
        if (!(cause instanceof ReconcileError && cause.code === 'unreachable')) throw cause;
        this.unreached.set(source.id, `not reached at this run: ${cause.message}`.slice(0, 400));
        const { id, watermark } = source;
        ingested.push({ source: id, events: 0, watermark, problems: [cause.message] });
      }
    }
    return ingested;
  }

  /** What is missing of a source's record in the time of a task. */
  private gapsOf({ id, skewMs }: Source, { opened, closed }: TaskRecord) {
    const until = closed === null ? null : new Date(Date.parse(closed.time) + maxAfterMs).toISOString();
    const since = new Date(Date.parse(opened.time) - skewMs).toISOString();
    return gapsSince(this.options.db, id, since).filter(({ from }) => until === null || from <= until);
  }

  /** Says what was done under credentials that were never issued here. @returns the new findings */
  private async tellStrangers(): Promise<readonly Finding[]> {
    const { db } = this.options;
    const strangers = Map.groupBy(openEvents(db, null), ({ ref, event }) =>
      JSON.stringify([ref.source, event.credential, event.operation, event.resource?.parent ?? event.resource?.uid]),
    );
    const written: Recorded[] = [];
    const found: string[] = [];
    for (const group of strangers.values())
      for (let from = 0; from < group.length; from += maxEvents) {
        const finding = this.find(null, foreign(group.slice(from, from + maxEvents)), written);
        if (finding !== null) found.push(finding);
        await paced(written);
      }
    await Promise.all(written.map(({ durable }) => durable));
    return this.findings.list().filter(({ finding }) => found.includes(finding));
  }

  private confirm(task: string, { claim, events, how, key }: Confirmation): Recorded {
    const { ledger, db } = this.options;
    const used = new Set(events.map(({ ref }) => ref.source));
    const skewMs = Math.max(0, ...listSources(db).flatMap((each) => (used.has(each.id) ? [each.skewMs] : [])));
    return ledger.record({
      ...header,
      predicate: 'confirmed',
      place: { task, chain: 'after' },
      subject: { name: `action:${claim.action}`, sha256: claim.statement },
      body: {
        action: claim.action,
        outcome: claim.statement,
        events: events.map(({ ref }) => ref),
        how,
        key: [...key],
        ...(claim.contract === null ? {} : { contract: claim.contract, skewMs }),
      },
      apply: (tx, { digest }) => {
        const row = [claim.statement, task, digest];
        tx.run('INSERT INTO confirmation (outcome, task, statement) VALUES (?, ?, ?)', ...row);
        for (const { ref } of events) tx.run('UPDATE event SET explained = ? WHERE name = ?', digest, ref.event);
      },
    });
  }

  /** @returns its id; null: it was found before */
  private find(task: string | null, found: NewFinding, written: Recorded[]): string | null {
    const { db, ledger, now } = this.options;
    if (db.get('SELECT 1 FROM finding WHERE subject = ?', found.subject)) return null;
    const finding = newId('finding', now());
    const { type, severity, todo, subject, statements, credential } = found;
    const why = shortened(found.why);
    const events = found.events.slice(0, maxEvents).map(({ ref }) => ref);
    written.push(
      ledger.record({
        ...header,
        predicate: 'finding',
        place: task === null ? { series: 'deployment' } : { task, chain: 'after' },
        subject: { name: `finding:${finding}`, sha256: events[0]?.event ?? statements[0] ?? '0'.repeat(64) },
        body: { finding, type, severity, why, todo, statements: [...statements], events, credential },
        apply: (tx, { digest }) => {
          tx.run(
            `INSERT INTO finding (id, task, type, severity, why, todo, subject, statement, statements)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
            ...[finding, task, type, severity, why, todo, subject, digest, JSON.stringify(statements)],
          );
          for (const { event } of events) tx.run('UPDATE event SET explained = ? WHERE name = ?', digest, event);
        },
      }),
    );
    return finding;
  }

  /** Says what was looked at and how far it reaches: also, and above all, when nothing was found. */
  private conclude(
    record: TaskRecord,
    confirmed: number,
    { pending, ambient }: Pick<Answer, 'pending' | 'ambient'>,
  ): Recorded {
    const { db, ledger } = this.options;
    const { task } = record;
    const sources = listSources(db).map((source) => {
      const { id, watermark } = source;
      const entry = ledger.series(`source:${id}`).at(-1);
      const head = entry && (parseStatement(entry.envelope.payload) as StatementWith<'events-ingested'>);
      const unreached = this.unreached.get(id);
      const gaps = this.gapsOf(source, record).map(({ from, to }) => `records from ${from} to ${to} are missing`);
      const problems = [...(head?.body.problems ?? ['nothing was ever read']), ...gaps.slice(-maxGapsTold)];
      return {
        source: id,
        head: head?.digest ?? null,
        watermark: watermark ?? '1970-01-01T00:00:00.000Z',
        coverage: head?.body.coverage ?? [],
        problems: unreached === undefined ? problems : [...problems, unreached],
      };
    });
    const findings = this.findings.list(task).map(({ finding, type }) => ({ finding, type }));
    const beside = ambient.slice(0, maxAmbient).map(({ ref }) => ref);
    return ledger.record({
      ...header,
      predicate: 'reconciled',
      place: { task, chain: 'after' },
      subject: { name: `task:${task}`, sha256: record.opened.digest },
      body: {
        ...{ rules, sources, confirmed, pending, findings },
        ...(beside.length > 0 ? { ambient: beside } : {}),
      },
      apply: (tx, { digest }) => {
        tx.run(
          'INSERT OR REPLACE INTO reconciliation (task, pending, statement) VALUES (?, ?, ?)',
          task,
          pending,
          digest,
        );
        for (const { event } of beside) tx.run('UPDATE event SET explained = ? WHERE name = ?', digest, event);
      },
    });
  }
}

/** Lets the log keep up: it takes so many at once, and more of a task with thousands of findings. */
async function paced(written: readonly Recorded[]): Promise<void> {
  if (written.length % maxAtOnce === 0) await Promise.all(written.slice(-maxAtOnce).map(({ durable }) => durable));
}

/** As long as a finding may be: names of refs are as long as whoever pushed them liked. */
function shortened(text: string): string {
  return text.length <= maxWhy ? text : `${text.slice(0, maxWhy - 1).toWellFormed()}…`;
}
