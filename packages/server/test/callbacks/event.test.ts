import { globSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseStatement, refusalReasons, type Statement, utf8 } from '@deed/evidence';
import { describe, expect, it } from 'vitest';
import { bodyOf, eventOf } from '../../src/callbacks/event.ts';

const formats = resolve(import.meta.dirname, '../../../../docs/formats');
const examples = globSync('*.json', { cwd: join(formats, 'examples') })
  .sort()
  .map((file) => parseStatement(utf8(readFileSync(join(formats, 'examples', file), 'utf8'))));
const page = readFileSync(join(formats, 'callbacks.md'), 'utf8');

function example(predicate: Statement['predicate']): Statement {
  const found = examples.find((one) => one.predicate === predicate);
  if (!found) throw new Error(`no example of ${predicate}`);
  return found;
}

describe('what callbacks tell', () => {
  it('is said by these statements, and by no other', () => {
    const told = examples.flatMap((statement) => {
      const event = eventOf(statement);
      return event ? [[statement.predicate, event.type]] : [];
    });
    expect(told).toEqual(
      expect.arrayContaining([
        ['approval', 'deed.approval.given'],
        ['finding', 'deed.finding'],
        ['grant-decision', 'deed.grant'],
        ['task-closed', 'deed.task.closed'],
        ['task-opened', 'deed.task.opened'],
      ]),
    );
    const known = new Set([
      'approval',
      'finding',
      'finding-changed',
      'grant-decision',
      'refusal',
      'task-closed',
      'task-opened',
    ]);
    expect(told.filter(([predicate]) => !known.has(predicate as string))).toEqual([]);
  });

  it('is of refusals those that end the wait for a person', () => {
    const refusal = example('refusal');
    const typeOf = (reason: string) => {
      const changed = { ...refusal, body: { ...refusal.body, reason } } as Statement;
      return eventOf(changed)?.type;
    };
    const told = refusalReasons.flatMap((reason) => (typeOf(reason) === undefined ? [] : [[reason, typeOf(reason)]]));
    expect(told).toEqual([
      ['rejected', 'deed.approval.rejected'],
      ['edited', 'deed.approval.rejected'],
      ['expired', 'deed.approval.expired'],
    ]);
  });

  it.each(examples.filter((one) => eventOf(one)).map((one) => [one.predicate, one] as const))(
    'of a statement %s has the members that its page lists, and no words of anybody',
    (_, statement) => {
      const event = eventOf(statement);
      if (!event) throw new Error('nothing is told');
      const body = JSON.parse(bodyOf(event, statement, 7));
      const row = page.split('\n').find((line) => line.includes(`| \`${event.type}\` |`)) ?? '';
      const listed = [...(row.split('|')[4] ?? '').matchAll(/`(\w+)`/g)].map(([, member]) => member);
      expect(Object.keys(body.data)).toEqual([...listed, 'index', 'statement', 'predicateType']);
      expect(body).toMatchObject({ id: statement.digest, time: statement.time, data: { index: 7 } });
      expect(body.subject).toMatch(/^(tsk|act|fnd|gra)_[0-9A-Z]{26}$/);
      // Ids, digests, times, numbers and words of closed lists: nothing with a space in it.
      for (const value of Object.values(body.data)) expect(String(value)).not.toMatch(/\s/);
    },
  );
});
