import { generateKeyPairSync } from 'node:crypto';
import { toBase64, toHex, utf8 } from '../../../src/encoding.ts';
import { newId } from '../../../src/ids.ts';
import { jwkThumbprint } from '../../../src/jwk.ts';
import { sha256 } from '../../../src/platform.ts';
import { actors, newSigner } from '../../support/actors.ts';
import { after, all, type BentCases, put, set } from '../../support/bends.ts';
import { digestOf, start } from '../../support/props.ts';
import type { Bend, Story } from '../../support/story.ts';
import { byWorkload, type EnrolmentDraft, evidenceOf, issuerKey } from '../../support/workload.ts';
import { activate } from '../operator/slipped-in.ts';

const { x = '', y = '' } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).publicKey.export({ format: 'jwk' });
const otherKey = { ...issuerKey, x, y };
const jwks = (key: object) => ({ discovery: '{}', jwks: JSON.stringify({ keys: [key] }), change: 'same' });
const earlier = (ms: number) => (draft: EnrolmentDraft) => {
  const seconds = Math.floor((start - ms) / 1000);
  Object.assign(draft.claims, { iat: seconds, nbf: seconds });
};
const says = (change: (draft: EnrolmentDraft) => void, words: RegExp) => ({
  bend: byWorkload(change),
  check: 'enrolments',
  says: words,
});
const inClaims = (over: object, words: RegExp) => says(({ claims }) => void Object.assign(claims, over), words);
const inRule = (over: object, words: RegExp) => says(({ rule }) => void Object.assign(rule, over), words);
const inEvidence = (over: object, words: RegExp) => says(({ evidence }) => void Object.assign(evidence, over), words);

/** The policy is trusted, then replaced, then time goes by, and the token enrols by the old one. */
function byAnOldPolicy(): Bend {
  return all(
    byWorkload(),
    after('policy', (story) => {
      activate(story, 'policy:2', 2, '2222');
      story.log.nowMs += 90_000;
    }),
  );
}

export function revokedName(story: Story): void {
  story.record({
    step: 'revoked-name',
    predicate: 'revoked',
    place: { series: 'agents' },
    subject: { name: 'agent-name:mender', sha256: toHex(sha256(utf8('mender'))) },
    body: { what: 'name', id: 'mender', reason: 'taken over' },
  });
}

/** A second key comes in by the token that enrolled the first. */
function twice(): Bend {
  let made: EnrolmentDraft | undefined;
  return all(
    byWorkload((draft) => {
      made = draft;
    }),
    after('agent', (story) => {
      const other = newSigner();
      const agent = newId('agent', start);
      const body = JSON.parse(Buffer.from(story.said.get('agent')?.envelope.payload ?? []).toString()).predicate;
      const { kind, spiffe, definition, how, policy, owner } = body;
      const key = { alg: 'ES256', spki: toBase64(other.spki), jkt: jwkThumbprint(other.spki) };
      const evidence = made && evidenceOf(story, { ...made, holder: other }, other.spki);
      story.record({
        step: 'agent-again',
        predicate: 'agent-enrolled',
        place: { series: 'agents' },
        subject: { name: `agent:${agent}`, sha256: other.keyid },
        body: { agent, kind, spiffe, definition, key, how, evidence, policy, owner },
        signer: actors.registrar,
      });
    }),
  );
}

export const enrolments: BentCases = {
  'a workload token that the archived key did not sign': inEvidence(
    { key: otherKey, issuer: jwks(otherKey) },
    /not by the key that is archived/,
  ),
  'an archived key that the issuer did not serve': inEvidence({ issuer: jwks(otherKey) }, /none of the issuer/),
  'an archived key that is not the one the rule holds': says((draft) => {
    draft.rule.keys = [otherKey];
    draft.evidence.issuer = { discovery: null, jwks: null, change: 'pinned' };
  }, /none of the issuer/),
  'a fetched key where the rule holds the keys': inRule({ keys: [issuerKey] }, /does not say where its key is from/),
  'a workload token of a fork’s pull request': inClaims(
    { sub: 'repo:acme/site:pull_request', event_name: 'pull_request' },
    /does not admit its workload token: another subject/,
  ),
  'a workload token of a pull request in the right environment': inClaims(
    { event_name: 'pull_request_target' },
    /a run for a pull request/,
  ),
  'a workload token of another issuer': inClaims({ iss: 'https://issuer.example' }, /another issuer/),
  'a workload token for another audience': inClaims({ aud: 'https://other.example' }, /another audience/),
  'a workload token for two audiences': inClaims(
    { aud: ['https://deed.example.com', 'https://other.example'] },
    /another audience/,
  ),
  'a workload token of a repository that took the name': inClaims({ repository_id: '99' }, /a claim that is required/),
  'a workload token that had expired': inClaims({ exp: Math.floor(start / 1000) - 1 }, /it has expired/),
  'a workload token that was too old': says(earlier(700_000), /older than 600 s/),
  'a workload token from the future': inClaims(
    { iat: Math.floor(start / 1000) + 300, exp: Math.floor(start / 1000) + 900 },
    /made ahead of time/,
  ),
  'a workload token that was verified after the enrolment': inEvidence(
    { at: '2026-11-22T10:02:00.000Z' },
    /verified later/,
  ),
  'a new key that did not sign for the workload token': says((draft) => {
    draft.holder = actors.stranger;
  }, /did not sign for this workload token/),
  'a new key that signed for another token': says((draft) => {
    draft.challenge = { token: 'another' };
  }, /did not sign for this workload token/),
  'a new key that signed for another deployment': says((draft) => {
    draft.challenge = { origin: 'example.org/log' };
  }, /did not sign for this workload token/),
  'a new key that signed for another definition': says((draft) => {
    draft.challenge = { definition: null };
  }, /did not sign for this workload token/),
  'an agent of another name than its rule': inRule({ name: 'deployer' }, /not the agent that its rule names/),
  'an agent of another kind than its rule': inRule({ kind: 'service' }, /not the agent that its rule names/),
  'a definition that its rule does not admit': inRule(
    { definitions: ['d'.repeat(64)] },
    /does not admit its definition/,
  ),
  'a definition that is another than its digest': inEvidence(
    { definition: JSON.stringify({ v: 1, model: 'm', prompt: 'e'.repeat(64), tools: [], artifact: 'a' }) },
    /another than its digest says/,
  ),
  'a rule that its policy has not': inEvidence({ rule: 'other' }, /has no rule other/),
  'a rule of another bundle': inEvidence({ bundle: digestOf('another') }, /names another bundle/),
  'an enrolment by a policy without trust rules': {
    bend: { ...byWorkload(), trustRules: undefined } as unknown as Bend,
    check: 'enrolments',
    says: /has no trust rules/,
  },
  'an enrolment by a policy that was replaced': {
    bend: byAnOldPolicy(),
    check: 'enrolments',
    says: /not by the policy in force/,
  },
  'an enrolment under a name that was revoked': {
    bend: all(
      byWorkload(),
      after('grant', (story) => revokedName(story)),
    ),
    check: 'enrolments',
    says: /name was revoked/,
  },
  'two enrolments by one workload token': { bend: twice(), check: 'enrolments', says: /enrolled agt_\w+ before/ },
  'an enrolment by a workload token that it does not show': {
    bend: all(byWorkload(), {
      draft: (draft) => (draft.step === 'agent' ? put(draft.body, 'evidence', null) : undefined),
    }),
    check: 'enrolments',
    says: /does not say what it rests on/,
  },
  'an enrolment by a code that cites a policy': {
    bend: set('agent', 'policy', (story: Story) => story.digest('policy')),
    check: 'enrolments',
    says: /does not say what it rests on/,
  },
  'an identity of another definition': {
    bend: set('agent', 'definition', digestOf('another configuration')),
    check: 'enrolments',
    says: /not that of its definition/,
  },
};
