import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodeFindingWord, encodeHold, encodePeopleWord, newId, type PredicateName, toBase64 } from '@deed/evidence';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { tellsItself } from '../src/http/administration.ts';
import { adminApi } from '../src/http/api.ts';
import {
  claudeCodeMessage,
  keyPersonSigner,
  makeAssertion,
  newP256,
  readSealedKey,
  spkiOf,
  systemClock,
} from '../src/index.ts';
import { World } from './support/world.ts';

let world: World;
beforeAll(async () => {
  world = await World.begin();
});
afterAll(() => world.end());

const signer = async () => keyPersonSigner(await readSealedKey(join(world.base, 'person.json'), 'test'));
const principal = { kind: 'person', id: 'owner', authenticated: 'a test' };

async function closedTask(): Promise<string> {
  const { task } = await world.worker();
  await world.closeTask(task);
  return task;
}

async function invited() {
  const { code, person } = await world.post('/v1/people/invite', { label: 'Ada Lovelace', roles: ['auditor'] });
  return { code, person, key: { kind: 'es256', public: toBase64(spkiOf(newP256())) } as const };
}

async function tool(): Promise<string> {
  await world.post('/v1/tools', { name: 'true', kind: 'plain', argv: ['/bin/true'], env: {} });
  return 'true';
}

async function address(): Promise<string> {
  await world.post('/v1/tools', { name: 'remote', kind: 'plain', url: 'http://127.0.0.1:9/mcp' });
  return 'remote';
}

const callback = (name: string) => ({ name, url: 'http://127.0.0.1:9/', network: 'private', topics: ['task'] });

async function told(): Promise<string> {
  await world.post('/v1/callbacks', callback('known'));
  return 'known';
}

function wrapOf(path: string): object {
  const secrets = [{ variable: 'KEY', value: 'k-e-y' }];
  const server = { at: ['mcpServers', 'a'], name: 'a', argv: ['/bin/true'], env: {}, cwd: path, secrets };
  return { path, original: toBase64(Buffer.from('{}')), servers: [server], implicit: true, left: [], plain: [] };
}

async function wrapped(): Promise<string> {
  await world.post('/v1/wraps', wrapOf('/srv/known.json'));
  return '/srv/known.json';
}

/** For each POST route: a request that succeeds, and the statement that it must leave; null where nothing changes. */
const routes: Readonly<Record<string, readonly [() => Promise<readonly [string, unknown]>, PredicateName | null]>> = {
  '/v1/witnesses': [async () => ['/v1/witnesses', { change: 'attest', attest: 'closed' }], 'administered'],
  '/v1/timestamps/off': [async () => ['/v1/timestamps/off', {}], 'administered'],
  '/v1/tools': [async () => ['/v1/tools', { name: 'cat', kind: 'plain', argv: ['/bin/cat'], env: {} }], 'administered'],
  '/v1/tools/:name/renew': [async () => [`/v1/tools/${await tool()}/renew`, {}], 'administered'],
  '/v1/tools/:name/remove': [async () => [`/v1/tools/${await tool()}/remove`, {}], 'administered'],
  '/v1/mcp-keys': [async () => ['/v1/mcp-keys', { server: await address() }], 'administered'],
  '/v1/mcp-keys/:id/remove': [
    async () => [`/v1/mcp-keys/${(await world.post('/v1/mcp-keys', { server: await address() })).id}/remove`, {}],
    'administered',
  ],
  '/v1/models': [async () => ['/v1/models', { name: 'openai' }], 'administered'],
  '/v1/models/:name/remove': [
    async () => [`/v1/models/${(await world.post('/v1/models', { name: 'gemini' })).name}/remove`, {}],
    'administered',
  ],
  '/v1/model-keys': [async () => ['/v1/model-keys', {}], 'administered'],
  '/v1/model-keys/:id/remove': [
    async () => [`/v1/model-keys/${(await world.post('/v1/model-keys')).id}/remove`, {}],
    'administered',
  ],
  '/v1/wraps': [async () => ['/v1/wraps', wrapOf('/srv/new.json')], 'configuration-stated'],
  '/v1/wraps/written': [async () => ['/v1/wraps/written', { path: await wrapped(), sha256: '0'.repeat(64) }], null],
  '/v1/wraps/open': [async () => ['/v1/wraps/open', { path: await wrapped() }], 'administered'],
  '/v1/wraps/remove': [async () => ['/v1/wraps/remove', { path: await wrapped() }], 'administered'],
  '/v1/hooks/claude-code': [
    async () => {
      const said = { session_id: 's', cwd: '/', tool_name: 'Bash', tool_input: {}, tool_use_id: 't' };
      const event = Buffer.from(JSON.stringify({ ...said, hook_event_name: 'PreToolUse' }));
      const message = Buffer.from(claudeCodeMessage(event).message).toString('base64');
      return ['/v1/hooks/claude-code', { speaker: null, message }];
    },
    'intent',
  ],
  '/v1/callbacks': [async () => ['/v1/callbacks', callback('new')], 'administered'],
  '/v1/callbacks/:id/test': [async () => [`/v1/callbacks/${await told()}/test`, {}], 'administered'],
  '/v1/callbacks/:id/retry': [async () => [`/v1/callbacks/${await told()}/retry`, {}], 'administered'],
  '/v1/callbacks/:id/remove': [async () => [`/v1/callbacks/${await told()}/remove`, {}], 'administered'],
  '/v1/agents/invite': [async () => ['/v1/agents/invite', { name: 'coding-agent-seven' }], 'administered'],
  '/v1/agents/:id/revoke': [
    async () => [`/v1/agents/${(await world.enrol()).id}/revoke`, { reason: 'its work is done' }],
    'administered',
  ],
  '/v1/sources': [
    async () => ['/v1/sources', { id: 'forge', kind: 'git-forge', config: { dir: world.base } }],
    'administered',
  ],
  '/v1/sources/:id/check': [
    async () => {
      await world.post('/v1/sources', { id: 'looked-at', kind: 'git-forge', config: { dir: world.base } });
      return ['/v1/sources/looked-at/check', {}];
    },
    null,
  ],
  '/v1/contracts': [
    async () => [
      '/v1/contracts',
      { contract: '{"deed":"effect-contract/v1","server":"bank","version":"1","effects":[]}' },
    ],
    'administered',
  ],
  '/v1/grants/waive': [async () => ['/v1/grants/waive', { days: 1 }], 'administered'],
  '/v1/retention': [async () => ['/v1/retention', { dryRun: false, acceptClock: true }], 'administered'],
  '/v1/people/invite': [
    async () => ['/v1/people/invite', { label: 'Grace Hopper', roles: ['approver'] }],
    'administered',
  ],
  '/v1/people/oidc': [
    async () => [
      '/v1/people/oidc',
      { oidc: { issuer: 'https://id.example', clientId: 'deed', clientSecretFile: '/x' } },
    ],
    'administered',
  ],
  '/v1/people/:id/link': [
    async () => {
      const { logins } = world.serving.deployment.authority.people;
      const code = logins.stranger({ issuer: 'https://id.example', subject: 'Ada' });
      return [`/v1/people/${world.made.person}/link`, { code }];
    },
    'administered',
  ],
  '/v1/people/:id/withdraw': [async () => [`/v1/people/${(await invited()).person}/withdraw`, {}], 'administered'],
  '/v1/people/:id/erase': [async () => [`/v1/people/${world.made.person}/erase`, {}], 'administered'],
  '/v1/tasks': [
    async () => [
      '/v1/tasks',
      { objective: 'x', agent: (await world.enrol()).id, principal, allow: [{ server: 'cat' }] },
    ],
    'task-opened',
  ],
  '/v1/tasks/:id/close': [
    async () => [`/v1/tasks/${(await world.worker()).task}/close`, { reason: 'operator' }],
    'task-closed',
  ],
  '/v1/tasks/:id/token': [
    async () => {
      const { agent, task } = await world.worker();
      const of = { spiffe: agent.spiffe, origin: world.made.origin, task };
      return [`/v1/tasks/${task}/token`, { assertion: await makeAssertion(agent.key, of, systemClock) }];
    },
    null,
  ],
  '/v1/tasks/:id/reconcile': [async () => [`/v1/tasks/${await closedTask()}/reconcile`, {}], 'reconciled'],
  '/v1/reconcile': [async () => ['/v1/reconcile', {}], null],
  '/v1/tasks/:id/case': [async () => [`/v1/tasks/${await closedTask()}/case`, {}], 'case-exported'],
  '/v1/tasks/:id/erasure': [async () => [`/v1/tasks/${await closedTask()}/erasure`, {}], null],
  '/v1/tasks/:id/erase': [async () => [`/v1/tasks/${await closedTask()}/erase`, { reason: 'asked for' }], 'erased'],
  '/v1/holds': [
    async () => {
      const task = await closedTask();
      const fields = {
        act: 'placed',
        task,
        hold: newId('hold', 1),
        reason: 'a claim',
        person: world.made.person,
      } as const;
      const bytes = encodeHold({ ...fields, origin: world.made.origin, time: new Date().toISOString() });
      return ['/v1/holds', { word: await (await signer()).word('deed-hold-v1', bytes) }];
    },
    'hold',
  ],
  '/v1/findings': [
    async () => {
      const path = join(world.base, 'stranger.jsonl');
      writeFileSync(path, '');
      const mapping = readFileSync(new URL('../../../examples/payments/mapping.json', import.meta.url), 'utf8');
      await world.post('/v1/sources', { id: 'stranger', kind: 'mapped', config: { path, mapping, live: true } });
      const record = { id: 'ev_1', time: new Date().toISOString(), key: 'side-door', action: 'refund.created' };
      writeFileSync(path, `${JSON.stringify(record)}\n`);
      await world.post(`/v1/tasks/${await closedTask()}/reconcile`);
      const { findings } = (await world.api('GET', '/v1/findings')).body;
      const fields = { finding: findings[0].finding, state: 'explained', until: null, reason: 'our bank' } as const;
      const bytes = encodeFindingWord({
        ...fields,
        ...{ origin: world.made.origin, person: world.made.person, time: new Date().toISOString() },
      });
      return ['/v1/findings', { word: await (await signer()).word('deed-finding-v1', bytes) }];
    },
    'finding-changed',
  ],
  '/v1/people/offer': [
    async () => {
      const { code, key } = await invited();
      return ['/v1/people/offer', { code, key }];
    },
    null,
  ],
  '/v1/people/orders': [
    async () => {
      const { person, key } = await invited();
      const { origin, after } = (await world.api('GET', '/v1/people')).body;
      const change = { kind: 'enrolled', key, roles: ['auditor'] } as const;
      const word = { origin, after, person, change: { ...change, roles: [...change.roles] }, by: world.made.person };
      const bytes = encodePeopleWord({ ...word, time: new Date().toISOString() });
      return ['/v1/people/orders', { word: await (await signer()).word('deed-people-v1', bytes) }];
    },
    'person-enrolled',
  ],
};
/** Where a success needs more than this page: the test named does it, and looks at the same statements. */
const elsewhere: Readonly<Record<string, string>> = {
  '/v1/brokers': 'brokers.real.test.ts',
  '/v1/brokers/:name/check': 'brokers.real.test.ts',
  '/v1/brokers/:name/remove': 'brokers.real.test.ts',
  '/v1/secrets': 'brokers.real.test.ts',
  '/v1/secrets/:name/remove': 'brokers.real.test.ts',
  '/v1/timestamps': 'timestamps.test.ts: needs an authority that answers',
  '/v1/tools/accept': 'pins.test.ts: needs a tool that changed',
  '/v1/agents/redeem': 'enrol() of each test above',
  '/v1/approvals/:id': 'walk.test.ts: needs an action that waits',
  '/v1/policy': 'policy activation in packages/authority',
  '/v1/tasks/:id/hops': 'two-agents.real.test.ts: needs an agent with a token, and so do the next two',
  '/v1/tasks/:id/hops/accept': 'two-agents.real.test.ts',
  '/v1/tasks/:id/hops/end': 'two-agents.real.test.ts',
};

const posts = () => {
  const { deployment } = world.serving;
  return [
    ...new Set(adminApi(deployment, 'x').routes.flatMap(({ method, path }) => (method === 'POST' ? [path] : []))),
  ];
};
const newestOf = (before: number) =>
  world.serving.deployment.ledger
    .series('deployment')
    .slice(before)
    .map(({ envelope }) => JSON.parse(Buffer.from(envelope.payload).toString()).predicate);

test('each POST route of the administration is known to this page', () => {
  expect(posts().sort()).toEqual([...Object.keys(routes), ...Object.keys(elsewhere)].sort());
});

test('what is not stated as administered leaves a statement of its own or changes nothing', () => {
  const own = Object.entries(routes).flatMap(([route, [, leaves]]) => (leaves === 'administered' ? [] : [route]));
  expect(
    Object.keys(tellsItself)
      .filter((route) => !(route in elsewhere))
      .sort(),
  ).toEqual(own.sort());
  expect(posts()).toEqual(expect.arrayContaining(Object.keys(tellsItself)));
});

test.each(Object.entries(routes))(
  'POST %s leaves its statement before it is answered',
  async (route, [request, leaves]) => {
    const [path, body] = await request();
    const { ledger } = world.serving.deployment;
    const [size, before] = [ledger.size, ledger.series('deployment').length];
    const answered = await world.api('POST', path, body);
    expect([answered.status < 300, answered.body]).toEqual([true, answered.body]);
    const said = [];
    for (let index = size; index < ledger.size; index++) {
      const { predicateType } = JSON.parse(Buffer.from(ledger.entry(index)?.envelope.payload ?? []).toString());
      said.push(String(predicateType).split('/').at(-2));
    }
    if (leaves === null) expect(said).toEqual([]);
    else expect(said).toContain(leaves);
    if (leaves !== 'administered') return;
    const id = /\/((?:agt|per|tsk)_[0-9A-Z]+|[0-9a-f]{16}|(?<=callbacks\/)[a-z]+)/.exec(path)?.[1] ?? null;
    expect(newestOf(before)).toContainEqual(
      expect.objectContaining({ act: `POST ${route}`, by: 'socket', target: id }),
    );
  },
);

test('an act that is refused is not stated, and none says what was asked for', async () => {
  const before = world.statements('deployment').length;
  expect((await world.api('POST', '/v1/agents/invite', { name: 'no such name!' })).status).toBe(400);
  expect(world.statements('deployment')).toHaveLength(before);
  expect(JSON.stringify(world.statements('deployment'))).not.toMatch(/Ada Lovelace|Grace Hopper|coding-agent-seven/);
});
