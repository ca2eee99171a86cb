import { expect, it } from 'vitest';
import { makeCase, pack } from '../../evidence/test/support/case-maker.ts';
import { namedPayloads } from '../src/page/named-payloads.ts';
import { readCase } from '../src/page/read-case.ts';
import { tell } from '../src/page/tell.ts';
import { states } from './cases.ts';

const honest = makeCase();

it('reads every statement in the order of the log, the export last, and has a line for each', () => {
  const { statements } = readCase(honest.file);
  expect(statements.map(({ index }) => index)).toEqual([...Array(29).keys(), null]);
  expect(statements.at(-1)?.statement?.predicate).toBe('case-exported');
  for (const { statement } of statements) expect(statement && tell(statement)).not.toBe('');
});

it('shows a statement that cannot be read as such, and the others all the same', () => {
  const member = 'statements/000000000016.json';
  const { statements } = readCase(pack(new Map(honest.members).set(member, new TextEncoder().encode('{}'))));
  expect(statements[16]).toMatchObject({ index: 16, member, statement: null, problem: /not a DSSE envelope/ });
  expect(statements).toHaveLength(30);
});

it('holds nothing of a file that is no case', () => {
  expect(readCase(honest.file.subarray(1)).statements).toEqual([]);
});

it('says of each payload whether it is here, and of one that is not, why', () => {
  const stateOf = (file: Uint8Array) => {
    const held = readCase(file);
    const named = namedPayloads(held.statements);
    return new Map(named.map(({ title, ref }) => [`${title} ${ref.size}`, held.payload(ref)]));
  };
  const whole = stateOf(honest.file);
  expect(whole.get('The order 50')).toMatchObject({ state: 'here' });
  expect(whole.get('The answer 14')).toEqual({ state: 'digest only' });
  expect([...stateOf(states.withheld()).values()]).toContainEqual({
    state: 'withheld',
    reason: 'a person asked for it',
  });
  expect([...stateOf(states.erased()).values()]).toContainEqual({ state: 'erased', reason: 'a person asked for it' });
  expect([...stateOf(states.forged()).values()]).toContainEqual({ state: 'damaged' });
});
