import { type Allow, jwkThumbprint, toBase64 } from '@deed/evidence';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { proves } from '../../../tests/promises.ts';
import {
  type HopTerms,
  makeAssertion,
  makeHop,
  makeHopAccepted,
  makeHopEnded,
  makeProof,
  spkiOf,
  systemClock,
} from '../src/index.ts';
import { Connection, type Sign, spoken } from './support/connection.ts';
import { approvingPolicy } from './support/policy.ts';
import { atLocalhost, Visitor } from './support/visitor.ts';
import { World } from './support/world.ts';

type Agent = Awaited<ReturnType<World['enrol']>>;

let world: World;
let visitor: Visitor;
let argv: readonly string[];
let planner: Agent;
let worker: Agent;
let task: string;
const allow: Allow = [{ server: 'fixture' }];
beforeAll(async () => {
  world = await World.begin({ listen: { host: '127.0.0.1', port: 0 }, policyFolder: approvingPolicy() });
  visitor = new Visitor(atLocalhost(world));
  argv = await world.scripted();
  planner = await world.enrol('planner');
  worker = await world.enrol('worker');
  ({ task } = await world.post('/v1/tasks', {
    ...{ objective: 'Mend the typo', agent: planner.id, allow, ceiling: 'approve', depth: 1 },
    principal: { kind: 'person', id: 'owner', authenticated: 'a test' },
  }));
});
afterAll(() => world.end());

const party = (agent: Agent) => ({ agent: agent.id, jkt: jwkThumbprint(spkiOf(agent.key)) });
const signer = ({ id, key }: Agent) => ({ agent: id, key });

async function token(agent: Agent, hop?: string): Promise<{ token: string; nonce: string }> {
  const { origin } = world.made;
  const assertion = await makeAssertion(agent.key, { spiffe: agent.spiffe, origin, task, hop }, systemClock);
  return world.post(`/v1/tasks/${task}/token`, { assertion });
}

async function offer(over: Partial<HopTerms> = {}, by = planner) {
  const terms: HopTerms = {
    ...{ delegate: party(worker), allow, ceiling: 'approve', actions: 10, depth: 0 },
    ...{ deadlineMs: Date.now() + 3_600_000, ...over },
  };
  const { allow: object, ...made } = await makeHop(signer(by), (await token(planner)).token, terms, systemClock);
  return { ...made, allow: toBase64(object) };
}

const words = { origin: () => world.made.origin };
const accept = async (agent: Agent, hop: string) => ({
  word: await makeHopAccepted(signer(agent), { origin: words.origin(), task, hop }),
});
const end = async (agent: Agent, hop: string) => ({
  hop,
  word: await makeHopEnded(signer(agent), { origin: words.origin(), task, hop }),
});
const at = (path: string) => `/v1/tasks/${task}/hops${path}`;

async function connect(agent: Agent, hop?: string): Promise<Connection> {
  const held = await token(agent, hop);
  const sign: Sign = async (body) =>
    `${held.token} ${await makeProof(agent.key, held.token, body, systemClock, held.nonce)}`;
  return Connection.open({ socket: world.serving.socket, argv, task, sign });
}

test('an agent elsewhere passes its task on, another accepts and acts, and the first takes it back: over the network', async () => {
  const offered = await visitor.post(at(''), await offer());
  expect([offered.status, offered.body]).toEqual([201, { hop: expect.stringMatching(/^[0-9a-f]{64}$/) }]);
  const { hop } = offered.body;
  const statement = (await visitor.get(at(`/${hop}`))).body;
  expect(JSON.parse(Buffer.from(statement.payload, 'base64').toString())).toMatchObject({
    predicate: { delegate: { id: worker.id } },
  });
  expect((await visitor.get(at(`/${'0'.repeat(64)}`))).status).toBe(404);
  const accepted = await visitor.post(at('/accept'), await accept(worker, hop));
  expect(accepted.status).toBe(201);
  const connection = await connect(worker, hop);
  expect((await connection.call('echo', { a: 1 })).isError).toBe(false);
  expect((await visitor.post(at('/end'), await end(planner, hop))).status).toBe(200);
  expect((await connection.call('echo', { a: 2 })).isError).toBe(true);
  await connection.close();
  const [intent] = world.of(task, 'intent');
  expect(intent?.body.authority.chain).toEqual([accepted.body.accepted]);
});

test('what is signed by another, wider, or ended by nobody who may, is refused with its code', async () => {
  const good = (await visitor.post(at(''), await offer())).body.hop as string;
  const codes: (readonly [number, string])[] = [];
  for (const [path, body] of [
    ['', await offer({}, worker)],
    ['', await offer({ allow: [{ server: 'other' }] })],
    ['', await offer({ depth: 1 })],
    ['', { ...(await offer()), proof: 'x' }],
    ['/accept', await accept(planner, good)],
    ['/accept', await accept(worker, '0'.repeat(64))],
    ['/end', await end(worker, good)],
    ['/end', { hop: good, word: null }],
    ['/end', { hop: good }],
  ] as const) {
    const { status, body: said } = await visitor.post(at(path), body);
    codes.push([status, said.title]);
  }
  expect(codes.every(([status]) => status >= 400 && status < 500)).toBe(true);
  expect(codes.map(([, title]) => title)).toEqual([
    ...['proof-invalid', 'hop', 'hop', 'proof-invalid'],
    ...['word', 'unknown-hop', 'word', 'request', 'request'],
  ]);
});

test('the approval of one agent’s call serves nobody else’s, though the calls are equal to the letter', async () => {
  proves('invariant-7');
  const { hop } = (await visitor.post(at(''), await offer())).body;
  expect((await visitor.post(at('/accept'), await accept(worker, hop))).status).toBe(201);
  const [own, passedOn] = [await connect(planner), await connect(worker, hop)];
  const frame = (id: string) =>
    `{"jsonrpc":"2.0","id":"${id}","method":"tools/call","params":{"name":"approve_echo","arguments":{"a":1}}}`;
  const first = own.answer('one').then(spoken);
  await own.send(frame('one'));
  const held = await world.held();
  const second = passedOn.answer('two').then(spoken);
  await passedOn.send(frame('two'));
  await expect
    .poll(async () => (await world.api('GET', '/v1/approvals')).body.approvals.length, { timeout: 15_000 })
    .toBe(2);
  const other = (await world.api('GET', '/v1/approvals')).body.approvals.find(({ id }: { id: string }) => id !== held);
  await world.answer(held, 'approve');
  expect(await first).toEqual({ isError: false, text: '{"a":1}' });
  await world.answer(other.id, 'reject');
  expect((await second).isError).toBe(true);
  const intents = world.of(task, 'intent').filter(({ body }) => body.tier === 'approve');
  expect(intents.map(({ body }) => [body.action, body.authority.chain])).toEqual([[held, []]]);
  await own.close();
  await passedOn.close();
});
