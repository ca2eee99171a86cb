import type { Authority } from '@deed/authority';
import { newId, parseStatement, type StatementWith } from '@deed/evidence';
import type { Ledger, Recorded } from '@deed/ledger';
import type { Database } from '@deed/store';
import { eventsOf } from './events-of.ts';
import { type Ingested, ingest } from './ingest.ts';
import { type Confirmation, foreign, matchTask, type NewFinding, type OpenEvent, refOf, rules } from './match.ts';
import { listSources } from './sources.ts';
import { readTask } from './task-record.ts';

export interface ReconcileOptions {
  readonly db: Database;
  readonly ledger: Ledger;
  readonly authority: Authority;
  readonly now: () => number;
}

export interface Finding {
  readonly finding: string;
  readonly task: string | null;
  readonly type: string;
  readonly severity: string;
  readonly why: string;
  readonly todo: string;
}

export interface Reconciled {
  readonly task: string;
  readonly ingested: readonly Ingested[];
  /** Actions confirmed by this run. */
  readonly confirmed: readonly string[];
  readonly pending: number;
  /** All findings about the task, those of earlier runs too. */
  readonly findings: readonly Finding[];
}

/** Characters of the explanation of a finding (docs/formats/predicates.md). */
const maxWhy = 2000;

const header = { observed: 'downstream-confirmed', separation: { agent: 'none', tool: 'none' } } as const;

/** Reads every source, and says what its records confirm of a task, what they do not explain, and how far they reach. */
export class Reconcile {
  private readonly options: ReconcileOptions;
  private running: Promise<unknown> = Promise.resolve();

  constructor(options: ReconcileOptions) {
    this.options = options;
    options.authority.erasures.register(eventsOf(options.db));
  }

  /** One run at a time: a run reads what the one before it wrote. @throws ReconcileError unknown-task, erased */
  run(task: string): Promise<Reconciled> {
    const { custody } = this.options.authority;
    const next = this.running.then(() => custody.shared(() => this.once(task)));
    this.running = next.catch(() => undefined);
    return next;
  }

  findings(task?: string): Finding[] {
    const { db } = this.options;
    const columns = 'id AS finding, task, type, severity, why, todo';
    if (task === undefined) return [...db.all<Finding>(`SELECT ${columns} FROM finding ORDER BY id`)];
    return [...db.all<Finding>(`SELECT ${columns} FROM finding WHERE task = ? ORDER BY id`, task)];
  }

  private async once(task: string): Promise<Reconciled> {
    const { db, ledger, authority } = this.options;
    const record = readTask(ledger, authority, task);
    const ingested: Ingested[] = [];
    for (const source of listSources(db)) ingested.push(await ingest(this.options, source));
    const before = new Set(
      db
        .all<{ outcome: string }>('SELECT outcome FROM confirmation WHERE task = ?', task)
        .map(({ outcome }) => outcome),
    );
    const sources = listSources(db);
    const watermark = sources.reduce<string | null>(
      (least, source) =>
        least === null || source.watermark === null || source.watermark < least ? source.watermark : least,
      sources[0]?.watermark ?? null,
    );
    // A claim does not say which source would have its record: only what all of them cover can be contradicted.
    const since = sources.reduce<string | null>(
      (newest, source) => (source.since !== null && (newest === null || source.since > newest) ? source.since : newest),
      null,
    );
    const matched = matchTask(record, this.openEvents(task), before, { watermark, since });
    const written: Recorded[] = [];
    for (const confirmation of matched.confirmed) written.push(this.confirm(task, confirmation));
    for (const finding of matched.findings) this.find(task, finding, written);
    for (const event of this.openEvents(null)) this.find(null, foreign(event), written);
    await Promise.all(written.map(({ durable }) => durable));
    const findings = this.findings(task);
    await this.conclude(task, record.opened.digest, before.size + matched.confirmed.length, matched.pending).durable;
    return {
      task,
      ingested,
      confirmed: matched.confirmed.map(({ claim }) => claim.action),
      pending: matched.pending,
      findings,
    };
  }

  private openEvents(task: string | null): readonly OpenEvent[] {
    const { db } = this.options;
    if (task === null)
      return db.all<OpenEvent>('SELECT * FROM event WHERE task IS NULL AND explained IS NULL ORDER BY rowid');
    // What was ambiguous may be explained better now: by an outcome that was settled since.
    return db.all<OpenEvent>(
      `SELECT * FROM event WHERE task = ? AND (explained IS NULL OR explained IN
       (SELECT statement FROM finding WHERE task = ? AND type = 'ambiguous')) ORDER BY rowid`,
      task,
      task,
    );
  }

  private confirm(task: string, { claim, events }: Confirmation): Recorded {
    const { ledger } = this.options;
    return ledger.record({
      ...header,
      predicate: 'confirmed',
      place: { task, chain: 'after' },
      subject: { name: `action:${claim.action}`, sha256: claim.outcome.digest },
      body: {
        action: claim.action,
        outcome: claim.outcome.digest,
        events: events.map(refOf),
        how: 'exact',
        key: ['repository', 'ref', 'old', 'new'],
      },
      apply: (tx, { digest }) => {
        tx.run(
          'INSERT INTO confirmation (outcome, task, statement) VALUES (?, ?, ?)',
          claim.outcome.digest,
          task,
          digest,
        );
        for (const { name } of events) tx.run('UPDATE event SET explained = ? WHERE name = ?', digest, name);
      },
    });
  }

  private find(task: string | null, found: NewFinding, written: Recorded[]): void {
    const { db, ledger, now } = this.options;
    if (db.get('SELECT 1 FROM finding WHERE subject = ?', found.subject)) return;
    const finding = newId('finding', now());
    const { type, severity, todo, subject, statements, credential } = found;
    const why = shortened(found.why);
    written.push(
      ledger.record({
        ...header,
        predicate: 'finding',
        place: task === null ? { series: 'deployment' } : { task, chain: 'after' },
        subject: { name: `finding:${finding}`, sha256: found.events[0]?.name ?? statements[0] ?? '0'.repeat(64) },
        body: { finding, type, severity, why, todo, statements, events: found.events.map(refOf), credential },
        apply: (tx, { digest }) => {
          tx.run(
            'INSERT INTO finding (id, task, type, severity, why, todo, subject, statement) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
            finding,
            task,
            type,
            severity,
            why,
            todo,
            subject,
            digest,
          );
          for (const { name } of found.events) tx.run('UPDATE event SET explained = ? WHERE name = ?', digest, name);
        },
      }),
    );
  }

  /** Says what was looked at and how far it reaches: also, and above all, when nothing was found. */
  private conclude(task: string, opened: string, confirmed: number, pending: number): Recorded {
    const { db, ledger } = this.options;
    const sources = listSources(db).map(({ id, watermark }) => {
      const entry = ledger.series(`source:${id}`).at(-1);
      const head = entry && (parseStatement(entry.envelope.payload) as StatementWith<'events-ingested'>);
      return {
        source: id,
        head: head?.digest ?? null,
        watermark: watermark ?? '1970-01-01T00:00:00.000Z',
        coverage: head?.body.coverage ?? [],
        problems: head?.body.problems ?? ['nothing was ever read'],
      };
    });
    const findings = this.findings(task).map(({ finding, type }) => ({ finding, type }));
    return ledger.record({
      ...header,
      predicate: 'reconciled',
      place: { task, chain: 'after' },
      subject: { name: `task:${task}`, sha256: opened },
      body: { rules, sources, confirmed, pending, findings },
    });
  }
}

/** As long as a finding may be: names of refs are as long as whoever pushed them liked. */
function shortened(text: string): string {
  return text.length <= maxWhy ? text : `${text.slice(0, maxWhy - 1).toWellFormed()}…`;
}
