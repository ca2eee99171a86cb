import type { Authority } from '@deed/authority';
import { encodeFindingWord, fromUtf8, openWord, parseFindingWord, sha256, toHex, type Word } from '@deed/evidence';
import type { Ledger, Recorded } from '@deed/ledger';
import type { Database } from '@deed/store';
import { ReconcileError } from './errors.ts';

export interface Finding {
  readonly finding: string;
  readonly task: string | null;
  readonly type: string;
  readonly severity: string;
  readonly why: string;
  readonly todo: string;
  /** `open`, `explained`, `accepted`, `resolved`, `superseded`. An accepted risk is open again once its time has passed. */
  readonly state: string;
  readonly until: string | null;
}

const server = { observed: 'gateway-executed', separation: { agent: 'none', tool: 'none' } } as const;

/** The disagreements that were found, and what became of each: by a person's signed word, or by a record that came late. */
export class Findings {
  private readonly options: {
    readonly db: Database;
    readonly ledger: Ledger;
    readonly authority: Authority;
    readonly now: () => number;
  };

  constructor(options: Findings['options']) {
    this.options = options;
  }

  list(task?: string): readonly Finding[] {
    const { db, now } = this.options;
    const columns = 'id AS finding, task, type, severity, why, todo, state, until';
    const rows =
      task === undefined
        ? db.all<Finding>(`SELECT ${columns} FROM finding ORDER BY id`)
        : db.all<Finding>(`SELECT ${columns} FROM finding WHERE task = ? ORDER BY id`, task);
    const today = new Date(now()).toISOString();
    return rows.map((row) => (row.until !== null && row.until <= today ? { ...row, state: 'open' } : { ...row }));
  }

  /**
   * What an operator says of a finding, as signed. Returns the finding as it is now.
   * @throws ReconcileError unknown-finding, word; AuthorityError unknown-person, not-approver, word; EvidenceError
   */
  async say(word: Word): Promise<Finding> {
    const bytes = openWord('deed-finding-v1', word);
    const said = parseFindingWord(bytes);
    this.options.authority.people.require(said.person, 'operator', word);
    const { origin } = this.options.ledger;
    if (fromUtf8(bytes) !== fromUtf8(encodeFindingWord(said)) || said.origin !== origin)
      throw new ReconcileError('word', 'the signed word is for another deployment, or not in its one byte form');
    const digest = toHex(sha256(bytes));
    const { db, ledger } = this.options;
    const row = db.get<{ task: string | null }>('SELECT task FROM finding WHERE id = ?', said.finding);
    if (!row) throw new ReconcileError('unknown-finding', `there is no finding ${said.finding}`);
    if (db.get('SELECT 1 FROM finding_word WHERE sha256 = ?', digest))
      throw new ReconcileError('word', 'this word was said before: sign a new one');
    const { finding, state, until, reason, person } = said;
    const recorded = ledger.record({
      ...server,
      predicate: 'finding-changed',
      place: row.task === null ? { series: 'deployment' } : { task: row.task, chain: 'after' },
      subject: { name: `finding:${finding}`, sha256: digest },
      body: { finding, state, until, reason, by: person, cites: null, word },
      apply: (tx, { digest: statement }) => {
        tx.run('UPDATE finding SET state = ?, until = ? WHERE id = ?', state, until, finding);
        tx.run('INSERT INTO finding_word (sha256, statement) VALUES (?, ?)', digest, statement);
      },
    });
    await recorded.durable;
    return this.list().find((one) => one.finding === finding) as Finding;
  }

  /** What was missing was confirmed since: the findings that said so are no longer open. */
  supersede(task: string, outcome: string, confirmed: string): readonly Recorded[] {
    const { db, ledger } = this.options;
    const sql = `SELECT id FROM finding WHERE task = ? AND state <> 'superseded'
      AND EXISTS (SELECT 1 FROM json_each(statements) WHERE value = ?) AND type IN ('phantom_action', 'ambiguous', 'missing_coverage')`;
    return db.all<{ id: string }>(sql, task, outcome).map(({ id }) =>
      ledger.record({
        ...server,
        observed: 'gateway-observed',
        predicate: 'finding-changed',
        place: { task, chain: 'after' },
        subject: { name: `finding:${id}`, sha256: confirmed },
        body: {
          ...{ finding: id, state: 'superseded', until: null, by: null, cites: confirmed, word: null },
          reason: 'a record that came later confirms the action',
        },
        apply: (tx) => {
          tx.run("UPDATE finding SET state = 'superseded', until = NULL WHERE id = ?", id);
        },
      }),
    );
  }
}
