import { encodeActivation } from '../../src/activation.ts';
import { encodePolicyManifest } from '../../src/case/case-json.ts';
import { members } from '../../src/case/members.ts';
import { toBase64, toHex, utf8 } from '../../src/encoding.ts';
import { sha256 } from '../../src/platform.ts';
import { actors, logKey, origin, roleKey } from './actors.ts';
import { definition, digestOf, engine, executable, spiffe } from './props.ts';
import type { Story } from './story.ts';

/** Keys, person, policy, grant, agent and tools: everything before the task. */
export function tellDeployment(story: Story): void {
  const keys = [
    ['root', roleKey('root')],
    ['registrar', roleKey('registrar')],
    ['receipt', roleKey('receipt')],
    ['token', roleKey('token')],
    ...story.logs.map((log) => [`log-${log.key.type}`, logKey(log)] as const),
  ] as const;
  for (const [name, key] of keys) {
    story.record({
      step: `key:${name}`,
      predicate: 'key-event',
      place: { series: 'keys' },
      subject: { name: `key:${key.keyid}`, sha256: key.keyid },
      body: { event: 'add', key, from: 0 },
      signer: actors.root,
    });
  }
  const { person, agent } = actors;
  story.record({
    step: 'person',
    predicate: 'person-enrolled',
    place: { series: 'people' },
    subject: { name: `person:${story.person}`, sha256: toHex(sha256(person.spki)) },
    body: {
      person: story.person,
      key: { kind: 'es256', public: toBase64(person.spki) },
      roles: ['operator', 'approver'],
    },
    signer: actors.registrar,
  });
  tellPolicy(story);
  const grant = {
    grant: story.grant,
    verdict: 'WAIVED',
    agent: '*',
    capability: '*',
    grade: 'E0',
    ceiling: 'record',
    expires: '2026-12-22T10:00:00.000Z',
    reason: 'nothing was earned yet',
  };
  story.record({
    step: 'grant',
    predicate: 'grant-decision',
    place: { series: 'grants' },
    subject: { name: `grant:${story.grant}`, sha256: digestOf(JSON.stringify(grant)) },
    body: grant,
  });
  story.record({
    step: 'agent',
    predicate: 'agent-enrolled',
    place: { series: 'agents' },
    subject: { name: `agent:${story.agent}`, sha256: agent.keyid },
    body: {
      agent: story.agent,
      kind: 'agent',
      spiffe,
      definition: digestOf('the configuration of the agent'),
      key: { alg: 'ES256', spki: toBase64(agent.spki), jkt: story.jkt },
      how: 'one-time-code',
      evidence: null,
      policy: null,
      owner: null,
    },
    signer: actors.registrar,
  });
  for (const tool of ['read_file', 'write_file', 'delete_file', 'git_push']) {
    story.record({
      step: `pin:${tool}`,
      predicate: 'tool-pinned',
      place: { series: 'tools' },
      subject: { name: `tool:files/${tool}`, sha256: definition(tool) },
      observed: 'gateway-observed',
      separation: { agent: 'none', tool: 'other-uid' },
      body: {
        server: 'files',
        tool,
        definition: definition(tool),
        executable,
        how: 'first-sight',
        previous: null,
      },
    });
  }
}

function tellPolicy(story: Story): void {
  const text = new Map([
    ['calls.cedar', utf8('@tier("record")\npermit (principal, action, resource);\n')],
    ['schema.cedarschema', utf8('namespace Deed {}\n')],
  ]);
  const rules = story.bend.trustRules?.(story);
  if (rules) text.set('identities.json', utf8(JSON.stringify({ v: 1, rules })));
  const files = [...text]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([path, bytes]) => ({ path, sha256: toHex(sha256(bytes)) }));
  const manifest = encodePolicyManifest(files);
  story.bundle = toHex(sha256(manifest));
  story.log.files.set(members.manifest(story.bundle), manifest);
  for (const [path, bytes] of text) story.log.files.set(members.policyFile(story.bundle, path), bytes);
  const word = { origin, bundle: story.bundle, version: 1, person: story.person, time: story.time() };
  story.record({
    step: 'policy',
    predicate: 'policy-activated',
    place: { series: 'policy' },
    subject: { name: 'policy:1', sha256: story.bundle },
    body: {
      bundle: story.bundle,
      files,
      version: 1,
      engine,
      person: story.person,
      activation: story.signed('policy', 'deed-activation-v1', encodeActivation(word)),
    },
  });
}
