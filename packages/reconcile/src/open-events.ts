import type { EventRef, SourceEvent } from '@deed/evidence';
import type { Database } from '@deed/store';
import type { MatchEvent } from './match/claim.ts';
import type { Source } from './sources.ts';

interface Row {
  readonly source: string;
  readonly name: string;
  readonly batch: string;
  readonly credential: string;
  readonly event: string | null;
  readonly read_at: string | null;
}

const columns = 'source, name, batch, credential, event, read_at';

/**
 * The events under a task's credentials that nothing explains yet, and those that were ambiguous: an outcome that was settled since may
 * explain them better. Of no task: those under credentials that were never minted here.
 */
export function openEvents(db: Database, task: string | null): readonly MatchEvent[] {
  const rows =
    task === null
      ? db.all<Row>(`SELECT ${columns} FROM event WHERE task IS NULL AND explained IS NULL ORDER BY rowid`)
      : db.all<Row>(
          `SELECT ${columns} FROM event WHERE task = ? AND (explained IS NULL OR explained IN
           (SELECT statement FROM finding WHERE task = ? AND type = 'ambiguous')) ORDER BY rowid`,
          ...[task, task],
        );
  return rows.flatMap(matchEvent);
}

/** These events, as far as they are not erased. */
export function eventsNamed(db: Database, refs: readonly EventRef[]): readonly MatchEvent[] {
  return refs.flatMap(({ event }) => {
    const row = db.get<Row>(`SELECT ${columns} FROM event WHERE name = ?`, event);
    return row ? matchEvent(row) : [];
  });
}

function matchEvent({ source, name, batch, credential, event, read_at: readAt }: Row): MatchEvent[] {
  if (event === null) return [];
  const said = JSON.parse(event) as SourceEvent;
  return [
    {
      ref: { source, batch, event: name },
      credential,
      event: said,
      at: Date.parse(said.time),
      readAt: readAt === null ? null : Date.parse(readAt),
    },
  ];
}

/** By source that tells beside another one: which transactions of the task that one has. */
export function transactionsBeside(
  db: Database,
  task: string,
  sources: readonly Source[],
): ReadonlyMap<string, { readonly source: string; readonly transactions: ReadonlySet<string> }> {
  return new Map(
    sources.flatMap(({ id, watch: { beside: source } }) => {
      if (source === undefined) return [];
      const rows = db.all<{ event: string }>(
        'SELECT event FROM event WHERE task = ? AND source = ? AND event IS NOT NULL',
        ...[task, source],
      );
      const found = rows.map(({ event }) => (JSON.parse(event) as SourceEvent).correlation.transaction);
      return [[id, { source, transactions: new Set(found.filter((each) => each !== undefined)) }] as const];
    }),
  );
}
