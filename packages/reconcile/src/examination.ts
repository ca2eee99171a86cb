import { batchRoot } from '@deed/evidence';
import { DerivedTable, type LoggedStatement, type RoomExamination, type RoomGround } from '@deed/ledger';

function forms() {
  return {
    batches: new DerivedTable({ name: 'batch', key: 'digest', derived: ['source'], free: ['tree'] }),
    confirmations: new DerivedTable({
      name: 'confirmation',
      key: 'outcome',
      derived: ['task', 'statement'],
      free: [],
    }),
    contracts: new DerivedTable({
      name: 'contract',
      key: 'server',
      derived: ['statement', 'payload'],
      free: [],
    }),
    reconciliations: new DerivedTable({
      name: 'reconciliation',
      key: 'task',
      derived: ['pending', 'statement'],
      free: [],
    }),
    gaps: new DerivedTable({ name: 'gap', key: 'id', derived: ['source', 'since', 'until'], free: [] }),
    words: new DerivedTable({ name: 'finding_word', key: 'sha256', derived: ['statement'], free: [] }),
    findings: new DerivedTable({
      name: 'finding',
      key: 'id',
      derived: ['task', 'type', 'severity', 'why', 'todo', 'statement', 'state', 'until', 'statements'],
      free: ['subject'],
    }),
  };
}

/** This room's part of fsck. Sources are configuration; an event's row repeats what its payload object says. */
export const reconcileExamination: RoomExamination = {
  tables: ['source', 'event', ...Object.values(forms()).map(({ form }) => form.name)],
  owns: () => false,
  begin(ground) {
    const tables = forms();
    const roots = new Map<string, string>();
    const explained = new Map<string, string>();
    return {
      statement(logged) {
        apply(tables, logged);
        const { predicate, digest, body } = logged.statement;
        if (predicate === 'events-ingested') roots.set(digest, body.batch.root);
        // An event that is erased unexplained is explained by that.
        if (predicate === 'erased')
          for (const name of body.payloads) explained.set(name, explained.get(name) ?? digest);
        if (predicate === 'confirmed' || predicate === 'finding') {
          for (const { event } of body.events) explained.set(event, digest);
        }
        if (predicate === 'reconciled') for (const { event } of body.ambient ?? []) explained.set(event, digest);
      },
      end() {
        for (const table of Object.values(tables)) table.compare(ground);
        checkTrees(ground, roots);
        checkEvents(ground, roots, explained);
      },
    };
  },
};

function apply(tables: ReturnType<typeof forms>, { statement }: LoggedStatement): void {
  const { predicate, digest, position } = statement;
  const task = 'task' in position ? position.task : null;
  if (predicate === 'events-ingested') {
    const { source, gaps = [] } = statement.body;
    tables.batches.set(digest, { source });
    for (const [n, { from, to }] of gaps.entries())
      tables.gaps.set(`${digest}:${n}`, { source, since: from, until: to });
  } else if (predicate === 'reconciled' && task !== null)
    tables.reconciliations.set(task, { pending: statement.body.pending, statement: digest });
  else if (predicate === 'effects-declared') {
    const { server, contract } = statement.body;
    tables.contracts.set(server, { statement: digest, payload: contract.sha256 });
  } else if (predicate === 'finding-changed') {
    const { finding, state, until, word } = statement.body;
    tables.findings.change(finding, { state, until });
    if (word) tables.words.set(statement.subject.sha256, { statement: digest });
  } else if (predicate === 'confirmed') tables.confirmations.set(statement.body.outcome, { task, statement: digest });
  else if (predicate === 'finding') {
    const { finding, type, severity, why, todo, statements } = statement.body;
    tables.findings.set(finding, {
      ...{ task, type, severity, why, todo, statement: digest, state: 'open', until: null },
      statements: JSON.stringify(statements),
    });
  }
}

function checkTrees({ database, add }: RoomGround, roots: ReadonlyMap<string, string>): void {
  for (const { digest, tree } of database.all<{ digest: string; tree: string }>('SELECT digest, tree FROM batch')) {
    let root: string | null = null;
    try {
      root = batchRoot((JSON.parse(tree) as { leaves: Parameters<typeof batchRoot>[0] }).leaves);
    } catch {
      // no tree at all
    }
    if (root !== roots.get(digest))
      add('state', `table batch, row ${digest}`, 'its tree has not the root that was logged');
  }
}

function checkEvents(
  { database, add }: RoomGround,
  batches: ReadonlyMap<string, string>,
  explained: ReadonlyMap<string, string>,
): void {
  for (const row of database.all<{ name: string; batch: string; explained: string | null }>(
    'SELECT name, batch, explained FROM event',
  )) {
    const where = `table event, row ${row.name}`;
    if (!batches.has(row.batch)) add('state', where, 'is of a batch that is not in the log');
    if (row.explained !== (explained.get(row.name) ?? null)) {
      add('state', where, 'is explained by another statement than the log says');
    }
  }
}
