import { sign } from 'node:crypto';
import { cpSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defaultPolicyFolder } from '@deed/authority';
import { encodeActivation, openContainer, parseStatement, toBase64, verify, workloadChallenge } from '@deed/evidence';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Issuer } from '../../../examples/issuer/issuer.ts';
import { shapes } from '../../../examples/issuer/shapes.ts';
import {
  checkBundle,
  keyPersonSigner,
  makeWorkloadProof,
  newP256,
  readSealedKey,
  spkiOf,
  systemClock,
} from '../src/index.ts';
import { World } from './support/world.ts';

let world: World;
let issuer: Issuer;
let url: string;
/** What an answer of the API may say. */
type Said = Readonly<Record<'agent' | 'spiffe' | 'wit' | 'title', string>>;
beforeAll(async () => {
  world = await World.begin({ listen: { host: '127.0.0.1', port: 0 } });
  url = world.serving.url ?? '';
  issuer = await Issuer.start('ES256');
  await trust('one-per-name');
});
afterAll(async () => {
  await world.end();
  await issuer.close().catch(() => {});
});

/** Puts the default policy with one rule into force. */
async function trust(marker: string): Promise<void> {
  const folder = join(mkdtempSync(join(tmpdir(), 'deed-policy-')), 'bundle');
  cpSync(defaultPolicyFolder, folder, { recursive: true });
  const rule = {
    ...{ name: 'site-deploy', kind: 'pipeline', platform: 'github-actions', issuer: issuer.url, audience: url },
    ...{ loopback: true, subject: 'repo:acme/site:environment:production' },
    claims: { repository_id: '74012345', repository_owner_id: '65012345' },
  };
  writeFileSync(join(folder, 'identities.json'), JSON.stringify({ v: 1, rules: [rule] }));
  writeFileSync(
    join(folder, 'marker.cedar'),
    `@id("${marker}")\npermit (principal, action == Deed::Action::"call", resource) when { resource.name == "${marker}" };\n`,
  );
  const signer = keyPersonSigner(await readSealedKey(join(world.base, 'person.json'), 'test'));
  const { body } = await world.api('GET', '/v1/policy');
  const { digest: bundle } = checkBundle(folder);
  const said = {
    origin: world.made.origin,
    bundle,
    version: body.next,
    person: world.made.person,
    time: new Date().toISOString(),
  };
  await world.post('/v1/policy', { folder, word: await signer.word('deed-activation-v1', encodeActivation(said)) });
}

const job = (over: object = {}) =>
  issuer.token({ ...shapes.githubActions({ iss: issuer.url, aud: url, now: Math.floor(Date.now() / 1000) }), ...over });

async function enrol(token = job(), key = newP256()) {
  const spki = spkiOf(key);
  const proof = sign('sha256', workloadChallenge(world.made.origin, token, null, spki), key);
  const body = { token, spki: toBase64(spki), proof: toBase64(proof), definition: null };
  const answer = await fetch(`${url}/v1/enrol`, { method: 'POST', body: JSON.stringify(body) });
  return { status: answer.status, body: (await answer.json()) as Said, key };
}

async function whoami(key: ReturnType<typeof newP256>, wit: string, path = '/v1/whoami', method = 'GET') {
  const proof = await makeWorkloadProof(key, { wit, url: `${url}${path}` }, systemClock);
  const headers = { 'workload-identity-token': wit, 'workload-proof-token': proof };
  const answer = await fetch(`${url}${path}`, { method, headers });
  return { status: answer.status, body: (await answer.json()) as Said, headers };
}

test('a pipeline enrols over the network, is known by its key in each call, and renews its identity token', async () => {
  expect(await (await fetch(`${url}/v1/enrol`)).json()).toMatchObject({
    origin: world.made.origin,
    audiences: expect.arrayContaining([url]),
  });
  const { status, body, key } = await enrol();
  expect([status, body]).toEqual([
    201,
    expect.objectContaining({ name: 'site-deploy', kind: 'pipeline', definition: null }),
  ]);
  const known = await whoami(key, body.wit);
  expect([known.status, known.body]).toEqual([
    200,
    expect.objectContaining({ agent: body.agent, spiffe: body.spiffe }),
  ]);
  const again = await fetch(`${url}/v1/whoami`, { headers: known.headers });
  expect([again.status, ((await again.json()) as Said).title]).toEqual([401, 'proof-replayed']);
  const renewed = await whoami(key, body.wit, '/v1/wit', 'POST');
  expect(renewed.status).toBe(201);
  expect((await whoami(key, renewed.body.wit)).body.agent).toBe(body.agent);
  expect((await whoami(newP256(), body.wit)).body.title).toBe('proof-invalid');
});

test.each([
  [{ sub: 'repo:acme/site:pull_request', event_name: 'pull_request' }, 403, 'no-rule'],
  [{ exp: 1 }, 401, 'workload-token'],
])('a token with %j is refused with %i %s', async (over, status, code) => {
  const answered = await enrol(job(over));
  expect([answered.status, answered.body.title]).toEqual([status, code]);
});

test('what is no enrolment, or too large for one, is refused at the edge', async () => {
  const post = async (body: string) => (await fetch(`${url}/v1/enrol`, { method: 'POST', body })).status;
  expect(await post('{}')).toBe(400);
  expect(await post(JSON.stringify({ token: 'x', spki: '!', proof: 'AAAA', definition: null }))).toBe(400);
  expect(await post(`"${'x'.repeat(70_000)}"`)).toBe(413);
  expect((await fetch(`${url}/v1/whoami`)).status).toBe(401);
});

test('a case verifies after its issuer has other keys, and holds the token of its own agent alone', async () => {
  const [first, second] = [await enrol(), await enrol()];
  const { task } = await world.post('/v1/tasks', {
    ...{ objective: 'Deploy the site', agent: first.body.agent, allow: [] },
    principal: { kind: 'service', id: 'ci', authenticated: 'a test' },
  });
  // Another policy since: the case still carries the one that admitted the agent.
  await trust('another');
  const shown = await world.post('/v1/agents/site-deploy/revoke', { reason: 'its runner was taken over' });
  expect(shown).toMatchObject({ alive: [], tasks: [{ task }] });
  expect(shown.tried.length).toBeGreaterThan(5);
  issuer.addKey('ES256');
  issuer.retire();
  await issuer.close();
  const file = await caseOf(task);
  const report = verify(file, { trust: (await world.api('GET', '/v1/trust')).body });
  expect(report.reasons).toEqual([]);
  expect(report).toMatchObject({ verdict: 'VERIFIED' });
  expect(report.checks).toContainEqual({ check: 'enrolments', result: 'ok', detail: '1 workload tokens' });
  const members = openContainer(file);
  const exported = parseStatement(
    Buffer.from(
      JSON.parse(Buffer.from(members.get('statements/case-exported.json') ?? []).toString()).payload,
      'base64',
    ),
  );
  if (exported.predicate !== 'case-exported') return expect.fail('no export');
  const others = exported.body.left.filter(({ reason }) => reason === 'the enrolment of an agent of other tasks');
  expect(others.length).toBeGreaterThanOrEqual(1);
  const evidence = world.of('agents', 'agent-enrolled').map(({ body }) => [body.agent, body.evidence?.sha256] as const);
  const held = evidence.filter(([, name]) => name !== undefined && members.has(`payloads/${name}`));
  expect(held.map(([agent]) => agent)).toEqual([first.body.agent]);
  expect(second.status).toBe(201);
  const refused = await whoami(first.key, first.body.wit);
  expect([refused.status, refused.body.title]).toEqual([403, 'agent-revoked']);
});

async function caseOf(task: string): Promise<Uint8Array> {
  const { exportCase } = await import('../src/case-export.ts');
  const { deployment } = world.serving;
  const { ledger, authority } = deployment;
  const options = {
    db: ledger.database,
    ledger,
    authority,
    trustFile: deployment.trustFile(),
    writer: 'test',
    now: Date.now,
    witnessMs: 20_000,
  };
  return exportCase(options, task);
}
