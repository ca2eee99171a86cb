import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { Issuer } from '../../../../examples/issuer/issuer.ts';
import { enrolmentChallenge } from '../../src/agents.ts';
import type { CredentialBroker } from '../../src/brokers/broker.ts';
import { newP256, signP256, spkiOf } from '../../src/keys/p256.ts';
import { refused } from '../refused.ts';
import { World } from '../world.ts';
import { enrolBy, jobClaims, rulesFor, trust } from './world.ts';

let world: World;
let issuer: Issuer;
/** A target with its own list of live credentials. */
const live = new Set<string>();
let fails = false;
const broker: CredentialBroker = {
  name: 'target',
  kind: 'git-forge',
  debt: 'none',
  env: {},
  targets: () => ['everything'],
  async mint({ id }) {
    live.add(id);
    return { id, secret: { password: `secret of ${id}` } };
  },
  async revoke(id) {
    if (fails) throw new Error('the target is away');
    live.delete(id);
  },
  async probe(id, { password }) {
    const opens = live.has(id) && password === `secret of ${id}`;
    return { refused: !opens, detail: opens ? 'it opens' : 'it is refused' };
  },
};

beforeAll(async () => {
  world = await World.begin();
  world.brokers = [broker];
  await world.restart();
  issuer = await Issuer.start('ES256');
});
afterAll(async () => {
  await world.end();
  await issuer.close();
});
beforeEach(async () => {
  fails = false;
  await trust(world, [rulesFor(issuer.url).githubActions]);
});

const enrolled = () => enrolBy(world, issuer.token(jobClaims(world, issuer)));

test('revoking a name ends every key, token, task, grant and credential of all its instances, and shows each refusal', async () => {
  const [one, two] = [await enrolled(), await enrolled()];
  const bystander = await world.enrol('bystander');
  const tasks = [await world.task(one.agent.id), await world.task(two.agent.id)];
  const untouched = await world.task(bystander.agent.id);
  await world.authority.grants.decide({
    ...{ verdict: 'GRANTED', agent: one.agent.id, capability: '*', grade: 'E3', ceiling: 'attest', reason: 'earned' },
    expires: new Date(world.clock.now() + 86_400_000).toISOString(),
  });
  const { token } = await world.token(two.key, two.agent, tasks[1]?.id ?? '');
  const invitation = world.authority.agents.invite('site-deploy').code;
  expect(live.size).toBe(3);

  const shown = await world.authority.revokeAgent('site-deploy', 'its pipeline was taken over');
  expect(shown.alive).toEqual([]);
  expect(shown.agents.map(({ agent }) => agent).sort()).toEqual([one.agent.id, two.agent.id].sort());
  expect(shown.tasks.map(({ task }) => task).sort()).toEqual(tasks.map(({ id }) => id).sort());
  expect(shown.grants).toHaveLength(1);
  expect(shown.credentials.map(({ state }) => state)).toEqual(['revoked', 'revoked']);
  expect(live.size).toBe(1);
  const what = shown.tried.map((one) => `${one.what}: ${one.refused}`);
  for (const line of [
    'the identity token it had: agent-revoked',
    'a new identity token: agent-revoked',
    'the task token it had: agent-revoked',
    'the task token it had, introspected: inactive',
    'a new task token: agent-revoked',
    'a new task: agent-revoked',
    'its own grant: grant-expired',
    'an enrolment under its name: agent-revoked',
    'its credential, at the target: revoked',
  ])
    expect(what).toContain(line);
  const digests = new Set(
    ['agents', 'grants'].flatMap((series) => world.statements(series).map(({ digest }) => digest)),
  );
  for (const { because, what: tried } of shown.tried) expect(digests.has(because ?? ''), tried).toBe(true);

  world.clock.advance(60_000);
  await world.authority.grants.waive(1); // entries commit in order
  expect(world.statements('deployment').filter(({ predicate }) => predicate === 'rejects-counted')).toEqual([]);
  const body = Buffer.from('{"jsonrpc":"2.0","id":1,"method":"tools/list"}');
  expect(await refused(() => world.authority.actions.admit({ kind: 'token', token, proof: token, body }))).toBe(
    'agent-revoked',
  );
  expect(await refused(enrolled)).toBe('agent-revoked');
  const key = await world.enrol('another');
  expect(await refused(() => world.authority.agents.redeem(invitation, one.agent.spki, new Uint8Array(70)))).toBe(
    'code',
  );
  expect(key.agent.revoked).toBeNull();
  expect(world.authority.tasks.isOpen(untouched.id)).toBe(true);
});

test('a revoked name stays out, also after a restart, until an operator trusts it again', async () => {
  await enrolled();
  await world.authority.revokeAgent('site-deploy', 'lost');
  await world.restart('unclean');
  expect(await refused(enrolled)).toBe('agent-revoked');
  await trust(world, [rulesFor(issuer.url).githubActions]);
  expect((await enrolled()).agent.name).toBe('site-deploy');
});

test('who comes in while a name is being revoked is refused, or is revoked with the others', async () => {
  const { agents } = world.authority;
  await enrolled();
  const { code } = agents.invite('site-deploy');
  const key = newP256();
  const proof = await signP256(key, enrolmentChallenge(world.init.origin, code, spkiOf(key)));
  const racing = [enrolled(), enrolled()];
  const [shown, redeemed, ...entered] = await Promise.allSettled([
    world.authority.revokeAgent('site-deploy', 'lost'),
    agents.redeem(code, spkiOf(key), proof),
    ...racing,
  ]);
  expect(shown).toMatchObject({ status: 'fulfilled', value: { alive: [] } });
  expect(redeemed).toMatchObject({ status: 'rejected', reason: { code: 'code' } });
  for (const one of entered)
    expect(one.status === 'rejected' || agents.get(one.value.agent.id)?.revoked !== null).toBe(true);
  const left = agents.list().filter(({ name, revoked }) => name === 'site-deploy' && revoked === null);
  expect(left).toEqual([]);
});

test('revoking one instance leaves the others, and bars no name', async () => {
  const [one, two] = [await enrolled(), await enrolled()];
  const shown = await world.authority.revokeAgent(one.agent.id, 'this runner was lost');
  expect(shown).toMatchObject({ name: null, alive: [], agents: [{ agent: one.agent.id }] });
  expect(world.authority.agents.get(two.agent.id)?.revoked).toBeNull();
  await enrolled();
});

test('what a broker did not revoke is said to live, and asking again shows that it ended', async () => {
  const { agent } = await enrolled();
  await world.task(agent.id);
  fails = true;
  const first = await world.authority.revokeAgent('site-deploy', 'lost');
  expect(first.alive).toEqual([expect.stringContaining('its credential')]);
  fails = false;
  const again = await world.authority.revokeAgent('site-deploy', 'lost');
  expect(again.alive).toEqual([]);
  expect(again.agents.find((one) => one.agent === agent.id)?.statement).toBe(
    first.agents.find((one) => one.agent === agent.id)?.statement,
  );
  expect(await refused(() => world.authority.revokeAgent('nobody', 'x'))).toBe('unknown-agent');
});
