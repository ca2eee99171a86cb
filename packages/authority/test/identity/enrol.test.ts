import { openPayload, parseEnrolmentEvidence } from '@deed/evidence';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Algorithm, Issuer } from '../../../../examples/issuer/issuer.ts';
import { shapes } from '../../../../examples/issuer/shapes.ts';
import { newP256, spkiOf } from '../../src/keys/p256.ts';
import { refused } from '../refused.ts';
import { World } from '../world.ts';
import { application, audience, enrolBy, jobClaims, rulesFor, trust } from './world.ts';

let world: World;
let issuer: Issuer;
beforeAll(async () => {
  world = await World.begin();
  issuer = await Issuer.start();
  await trust(world, Object.values(rulesFor(issuer.url)));
});
afterEach(() => issuer.otherwise.clear());
afterAll(async () => {
  await world.end();
  await issuer.close();
});

const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

/** The same ES256 token with the other of its two signatures: r, n - s. */
function otherSignature(token: string): string {
  const [head, body, sig = ''] = token.split('.');
  const bytes = Buffer.from(sig, 'base64url');
  const s = order - BigInt(`0x${bytes.subarray(32).toString('hex')}`);
  const other = Buffer.concat([bytes.subarray(0, 32), Buffer.from(s.toString(16).padStart(64, '0'), 'hex')]);
  return `${head}.${body}.${other.toString('base64url')}`;
}

const now = () => Math.floor(world.clock.now() / 1000);
const job = (over: object = {}) => issuer.token({ ...jobClaims(world, issuer), ...over });

describe('a token in the shape of', () => {
  for (const [shape, alg] of [
    ['githubActions', 'RS256'],
    ['gcp', 'RS256'],
    ['azure', 'RS256'],
    ['kubernetes', 'ES256'],
    ['aws', 'ES384'],
  ] as const satisfies readonly (readonly [keyof typeof shapes, Algorithm])[]) {
    test(`${shape}, signed with ${alg}, enrols one fresh key as what its rule says`, async () => {
      if (issuer.newest.alg !== alg) issuer.addKey(alg);
      world.clock.advance(30_000);
      const rule = rulesFor(issuer.url)[shape];
      const token = issuer.token(shapes[shape]({ iss: issuer.url, aud: audience, now: now() }));
      const { agent } = await enrolBy(world, token);
      expect(agent).toMatchObject({ name: rule.name, kind: rule.kind, how: 'workload-token', definition: null });
      expect(agent.spiffe).toMatch(new RegExp(`/agent/${rule.name}$`));
      const statement = world.statements('agents').at(-1);
      expect(statement).toMatchObject({
        predicate: 'agent-enrolled',
        digest: agent.enrolled,
        body: { how: 'workload-token', kind: rule.kind, policy: world.authority.policy.current().activated },
      });
      expect(JSON.stringify(statement)).not.toMatch(/acme|shop|123456789012|104029292853099978293|9f2f6c1e/);
      expect(await refused(() => enrolBy(world, token))).toBe('workload-token-used');
    });
  }
});

test('what verified it is archived in full, and opens with the key of the deployment', async () => {
  const token = job();
  const { agent } = await enrolBy(world, token);
  const statement = world.statements('agents').find(({ digest }) => digest === agent.enrolled);
  if (statement?.predicate !== 'agent-enrolled' || !statement.body.evidence) return expect.fail('no evidence');
  const { sha256 } = statement.body.evidence;
  const evidence = parseEnrolmentEvidence(openPayload(world.authority.vault.get(sha256), sha256).bytes);
  expect(evidence).toMatchObject({
    token,
    rule: 'site-deploy',
    bundle: world.authority.policy.current().bundle.digest,
  });
  expect(evidence.key.kid).toBe(issuer.newest.kid);
  expect(JSON.parse(evidence.issuer.jwks ?? '').keys.length).toBeGreaterThan(0);
  expect(JSON.parse(evidence.issuer.discovery ?? '').issuer).toBe(issuer.url);
});

test('a token enrols once, also of two that come at once, under another signature, and after a restart', async () => {
  const token = job();
  const both = await Promise.allSettled([enrolBy(world, token), enrolBy(world, token)]);
  expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  await world.restart('unclean');
  expect(await refused(() => enrolBy(world, token))).toBe('workload-token-used');
  issuer.addKey('ES256');
  world.clock.advance(30_000);
  const spelt = job();
  await enrolBy(world, spelt);
  expect(await refused(() => enrolBy(world, otherSignature(spelt)))).toBe('workload-token-used');
  const jti = 'the-same';
  await enrolBy(world, job({ jti }));
  expect(await refused(() => enrolBy(world, job({ jti, run_attempt: '2' })))).toBe('workload-token-used');
});

describe('strangers', () => {
  const other = {
    iss: 'https://issuer.example',
    aud: 'https://other.example.com',
    sub: 'repo:evil/site:environment:production',
  };
  const cases: Record<string, readonly [over: () => object, code: string]> = {
    'a fork’s pull request': [() => ({ sub: 'repo:acme/site:pull_request', event_name: 'pull_request' }), 'no-rule'],
    'a pull request that runs in the environment': [() => ({ event_name: 'pull_request_target' }), 'no-rule'],
    'a repository that took the name': [() => ({ repository_id: '99' }), 'no-rule'],
    'an owner that took the name': [() => ({ repository_owner_id: '99' }), 'no-rule'],
    'another repository': [() => ({ sub: other.sub }), 'no-rule'],
    'another environment': [() => ({ sub: 'repo:acme/site:environment:staging' }), 'no-rule'],
    'a subject that only begins so': [() => ({ sub: 'repo:acme/site:environment:production:x' }), 'no-rule'],
    'a token for somebody else': [() => ({ aud: other.aud }), 'no-rule'],
    'a token for us and for somebody else': [() => ({ aud: [audience, other.aud] }), 'no-rule'],
    'an issuer that no rule names': [() => ({ iss: other.iss }), 'no-rule'],
    'a token that has expired': [() => ({ exp: now() - 1 }), 'workload-token'],
    'a token that is older than ten minutes': [() => ({ iat: now() - 700, nbf: now() - 700 }), 'workload-token'],
    'a token from the future': [() => ({ iat: now() + 300, nbf: now() + 300, exp: now() + 900 }), 'workload-token'],
    'a token without an end': [() => ({ exp: undefined }), 'workload-token'],
  };
  for (const [who, [over, code]] of Object.entries(cases)) {
    test(`are refused: ${who}`, async () => {
      const before = world.authority.agents.list().length;
      expect(await refused(() => enrolBy(world, job(over())))).toBe(code);
      expect(world.authority.agents.list()).toHaveLength(before);
    });
  }

  test('are refused without asking anybody whom no rule names', async () => {
    const asked = [...issuer.asked.values()].reduce((sum, n) => sum + n, 0);
    await refused(() => enrolBy(world, job({ iss: other.iss })));
    await refused(() => enrolBy(world, job({ sub: other.sub })));
    expect([...issuer.asked.values()].reduce((sum, n) => sum + n, 0)).toBe(asked);
  });

  test('are refused: a signature that is not the issuer’s, another algorithm, none', async () => {
    const stranger = await Issuer.start('ES256');
    const { kid } = issuer.newest;
    expect(await refused(() => enrolBy(world, stranger.token(jobClaims(world, issuer), { kid })))).toBe(
      'workload-token',
    );
    await stranger.close();
    expect(await refused(() => enrolBy(world, issuer.token(jobClaims(world, issuer), { alg: 'none' })))).toBe(
      'workload-token',
    );
    expect(await refused(() => enrolBy(world, issuer.token(jobClaims(world, issuer), { alg: 'HS256' })))).toBe(
      'workload-token',
    );
    const [head, , sig] = job().split('.');
    const [, claims] = job({ sub: 'x' }).split('.');
    expect(await refused(() => enrolBy(world, `${head}.${claims}.${sig}`))).toBe('no-rule');
    const [, mine] = job({ actor: 'somebody else' }).split('.');
    expect(await refused(() => enrolBy(world, `${head}.${mine}.${sig}`))).toBe('workload-token');
  });

  test('are counted, and write nothing but that', async () => {
    world.clock.advance(60_000);
    await world.authority.grants.waive(1); // entries commit in order
    const counts = world
      .statements('deployment')
      .flatMap((one) => (one.predicate === 'rejects-counted' ? one.body.counts : []));
    expect(counts.map(({ code }) => code)).toEqual(expect.arrayContaining(['no-rule', 'workload-token']));
  });
});

test('the fresh key signs for exactly this token, definition and deployment', async () => {
  const { workloads } = world.authority;
  const token = job();
  const { key, ...sent } = await application(world, token);
  const swaps = [
    { ...sent, spki: spkiOf(newP256()) },
    { ...sent, token: job() },
    { ...sent, definition: { sha256: 'd'.repeat(64) } },
  ];
  for (const swapped of swaps) expect(await refused(() => workloads.enrol(swapped, [audience]))).toBe('proof-of-key');
  const { agent } = await workloads.enrol(sent, [audience]);
  expect(agent.jkt).toBe(world.authority.agents.byJkt(agent.jkt)?.jkt);
  const again = await application(world, job(), null, key);
  expect(await refused(() => workloads.enrol(again, [audience]))).toBe('key');
});

test('another definition is another subject, and a rule may pin which ones come in', async () => {
  const [one, two] = ['1'.repeat(64), '2'.repeat(64)];
  const first = await enrolBy(world, job(), { sha256: one });
  const second = await enrolBy(world, job(), { sha256: two });
  expect(first.agent.spiffe).toMatch(new RegExp(`/agent/site-deploy/${one}$`));
  expect(second.agent.spiffe).not.toBe(first.agent.spiffe);
  const task = await world.task(second.agent.id);
  const stolen = await refused(() => world.token(first.key, second.agent, task.id));
  expect(stolen).toBe('assertion-invalid');
  await trust(world, [{ ...rulesFor(issuer.url).githubActions, definitions: [one] }]);
  expect((await enrolBy(world, job(), { sha256: one })).agent.definition).toBe(one);
  expect(await refused(() => enrolBy(world, job(), { sha256: two }))).toBe('definition');
  expect(await refused(() => enrolBy(world, job()))).toBe('definition');
  expect(await refused(() => enrolBy(world, job(), { text: '{"v":1}' }))).toBe('definition');
  await trust(world, Object.values(rulesFor(issuer.url)));
});

test('a rule that a newer policy dropped enrols nobody', async () => {
  await trust(world, [rulesFor(issuer.url).kubernetes]);
  expect(await refused(() => enrolBy(world, job()))).toBe('no-rule');
  await trust(world, Object.values(rulesFor(issuer.url)));
  await enrolBy(world, job());
});
