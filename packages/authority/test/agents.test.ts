import { afterAll, beforeAll, expect, test } from 'vitest';
import { proves } from '../../../tests/promises.ts';
import { enrolmentChallenge } from '../src/agents.ts';
import { readServerKeys } from '../src/keys/key-folder.ts';
import { newP256, signP256, spkiOf } from '../src/keys/p256.ts';
import { makeAssertion } from '../src/tokens/proof.ts';
import { refused } from './refused.ts';
import { World } from './world.ts';

let world: World;
beforeAll(async () => {
  world = await World.begin();
});
afterAll(() => world.end());

async function application(code: string, key = newP256()) {
  const spki = spkiOf(key);
  return { spki, proof: await signP256(key, enrolmentChallenge(world.init.origin, code, spki)) };
}

test('a one-time code enrols one key as an instance of the named agent', async () => {
  const { agents } = world.authority;
  const { code } = agents.invite('coder', { definition: 'd'.repeat(64) });
  const { spki, proof } = await application(code);
  const agent = await agents.redeem(code, spki, proof);
  expect(agent.spiffe).toBe(
    `spiffe://${world.init.origin.split('/').reverse().join('.')}/agent/coder/${'d'.repeat(64)}`,
  );
  expect(world.statements('agents').at(-1)).toMatchObject({
    predicate: 'agent-enrolled',
    digest: agent.enrolled,
    body: { agent: agent.id, spiffe: agent.spiffe, definition: 'd'.repeat(64), how: 'one-time-code', kind: 'agent' },
  });
  const second = await application(code);
  expect(await refused(() => agents.redeem(code, second.spki, second.proof))).toBe('code');
  await world.restart();
  expect(world.authority.agents.get(agent.id)).toMatchObject({ jkt: agent.jkt, revoked: null });
  expect(await refused(() => world.authority.agents.redeem(code, second.spki, second.proof))).toBe('code');
});

test('of two that redeem one code at once, one is enrolled', async () => {
  const { agents } = world.authority;
  const { code } = agents.invite('twin');
  const both = await Promise.all([application(code), application(code)]);
  const results = await Promise.allSettled(both.map(({ spki, proof }) => agents.redeem(code, spki, proof)));
  expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
});

test('a code dies after 15 minutes; a guessed code, a key without its signature, and a known key are refused', async () => {
  const { agents } = world.authority;
  const { code } = agents.invite('coder');
  const key = newP256();
  const { spki, proof } = await application(code, key);
  expect(await refused(() => agents.redeem('guess', spki, proof))).toBe('code');
  const other = await application('another code', key);
  expect(await refused(() => agents.redeem(code, spki, other.proof))).toBe('proof-of-key');
  expect(await refused(() => agents.redeem(code, spkiOf(newP256()), proof))).toBe('proof-of-key');
  world.clock.advance(15 * 60_000);
  expect(await refused(() => agents.redeem(code, spki, proof))).toBe('code');
  const fresh = agents.invite('coder').code;
  const again = await application(fresh, key);
  await agents.redeem(fresh, again.spki, again.proof);
  const third = agents.invite('coder').code;
  const same = await application(third, key);
  expect(await refused(() => agents.redeem(third, same.spki, same.proof))).toBe('key');
  for (const name of ['a/b', 'agt_1', '']) expect(await refused(() => agents.invite(name))).toBe('name');
});

test('a token is given to the agent of the task alone, on its own fresh word', async () => {
  proves('invariant-4');
  const { key, agent } = await world.enrol();
  const other = await world.enrol('other');
  const task = await world.task(agent.id);
  const { tokens } = world.authority;
  const of = { spiffe: agent.spiffe, origin: world.init.origin, task: task.id };
  const assertion = await makeAssertion(key, of, world.clock);
  expect((await tokens.issue(task.id, assertion)).expiresMs).toBeLessThanOrEqual(world.clock.now() + 300_000);
  expect(await refused(() => tokens.issue(task.id, assertion))).toBe('proof-replayed');
  const stolen = await makeAssertion(other.key, of, world.clock);
  expect(await refused(() => tokens.issue(task.id, stolen))).toBe('assertion-invalid');
  const elsewhere = await makeAssertion(key, { ...of, task: (await world.task(agent.id)).id }, world.clock);
  expect(await refused(() => tokens.issue(task.id, elsewhere))).toBe('assertion-invalid');
  const old = await makeAssertion(key, of, world.clock);
  world.clock.advance(60_000);
  expect(await refused(() => tokens.issue(task.id, old))).toBe('proof-expired');
});

test('one key is never that of two parties', async () => {
  proves('invariant-4');
  const { agents } = world.authority;
  const { key } = await world.enrol('first');
  const letIn = (public_: Uint8Array) => world.letIn(['approver'], { ...world.person, public: public_ });
  expect(await refused(() => letIn(spkiOf(key)))).toBe('key');
  const own = newP256();
  await letIn(spkiOf(own));
  const { code } = agents.invite('second');
  const { spki, proof } = await application(code, own);
  expect(await refused(() => agents.redeem(code, spki, proof))).toBe('key');
  const { registrar } = readServerKeys(world.dir);
  expect(await refused(() => letIn(registrar.spki))).toBe('key');
});
