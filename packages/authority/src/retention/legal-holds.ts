import { encodeHold, fromUtf8, type HoldWord, openWord, parseHold, sha256, toHex, type Word } from '@deed/evidence';
import { AuthorityError } from '../errors.ts';
import { type Ground, serverAct } from '../ground.ts';
import type { People } from '../people/people.ts';
import type { Tasks } from '../tasks/tasks.ts';

/** What protects a task from erasure and retention. */
export interface LegalHold {
  readonly id: string;
  readonly task: string;
  readonly reason: string;
  /** Id of the operator who placed it. */
  readonly person: string;
  /** When. */
  readonly placed: string;
  /** Digest of the statement. */
  readonly statement: string;
}

/** The holds in force. They begin and end by the signed word of an operator, at the instant at which that is recorded. */
export class LegalHolds {
  private readonly ground: Ground;
  private readonly people: People;
  private readonly tasks: Tasks;
  private readonly inForce = new Map<string, LegalHold>();

  constructor(ground: Ground, people: People, tasks: Tasks) {
    this.ground = ground;
    this.people = people;
    this.tasks = tasks;
    const columns = 'id, task, reason, person, placed, statement';
    for (const row of ground.db.all<LegalHold>(`SELECT ${columns} FROM legal_hold WHERE released IS NULL ORDER BY id`))
      this.inForce.set(row.id, { ...row });
  }

  /** Oldest first. */
  list(): readonly LegalHold[] {
    return [...this.inForce.values()];
  }

  ofTask(task: string): readonly LegalHold[] {
    return this.list().filter((hold) => hold.task === task);
  }

  /**
   * Places or releases a hold, as the word says. Returns the hold that began or ended.
   * @throws AuthorityError legal-hold, unknown-task, erased, unknown-person, not-approver, word; EvidenceError
   */
  async say(word: Word): Promise<LegalHold & { readonly act: HoldWord['act'] }> {
    const bytes = openWord('deed-hold-v1', word);
    const said = parseHold(bytes);
    this.people.require(said.person, 'operator', word);
    check(fromUtf8(bytes) === fromUtf8(encodeHold(said)), 'the signed word is not in its one byte form');
    check(said.origin === this.ground.origin, 'the signed word is for another deployment');
    if (!this.tasks.get(said.task)) throw new AuthorityError('unknown-task', `there is no task ${said.task}`);
    const known = this.inForce.get(said.hold);
    const { db } = this.ground;
    if (said.act === 'placed') {
      const used = known ?? db.get('SELECT 1 FROM legal_hold WHERE id = ?', said.hold);
      check(used === undefined, `${said.hold} was placed before: sign a word with a new id`);
      if (db.get('SELECT 1 FROM erasure WHERE task = ? AND whole = 1', said.task))
        throw new AuthorityError('erased', `task ${said.task} was erased: there is nothing left to protect`);
    } else {
      check(known !== undefined && known.task === said.task, `${said.hold} is no hold in force over ${said.task}`);
    }
    return this.record(said, word, known);
  }

  private async record(said: HoldWord, word: Word, known: LegalHold | undefined) {
    const { act, task, hold: id, person, reason } = said;
    const placed = known?.placed ?? new Date(this.ground.clock.now()).toISOString();
    const recorded = this.ground.record({
      ...serverAct,
      predicate: 'hold',
      place: { task, chain: 'after' },
      subject: { name: `hold:${id}`, sha256: toHex(sha256(openWord('deed-hold-v1', word))) },
      body: { hold: id, act, person, reason, word },
      apply: (tx, { digest }) => {
        if (act === 'released') tx.run('UPDATE legal_hold SET released = ? WHERE id = ?', digest, id);
        else {
          const row = [id, task, reason, person, placed, digest];
          tx.run(
            'INSERT INTO legal_hold (id, task, reason, person, placed, statement) VALUES (?, ?, ?, ?, ?, ?)',
            ...row,
          );
        }
      },
    });
    const hold = known ?? { id, task, reason, person, placed, statement: recorded.digest };
    if (act === 'released') this.inForce.delete(id);
    else this.inForce.set(id, hold);
    await recorded.durable;
    return { ...hold, act };
  }
}

function check(holds: boolean, otherwise: string): void {
  if (!holds) throw new AuthorityError('legal-hold', otherwise);
}
