import { generateKeyPairSync, sign } from 'node:crypto';
import { toBase64, toBase64Url, utf8 } from '../../src/encoding.ts';
import {
  type EnrolmentEvidence,
  encodeEnrolmentEvidence,
  enrolmentEvidenceType,
  workloadChallenge,
} from '../../src/identity/enrolment.ts';
import type { PublicJwk } from '../../src/identity/jwk-set.ts';
import type { TrustRule } from '../../src/identity/trust-rules.ts';
import { actors, origin, type Signer } from './actors.ts';
import type { Draft } from './log-maker.ts';
import { digestOf, spiffe, start } from './props.ts';
import type { Bend, Story } from './story.ts';

const pair = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
const { x = '', y = '' } = pair.publicKey.export({ format: 'jwk' });
/** The issuer's key; gone from its own set since. */
export const issuerKey: PublicJwk = { kty: 'EC', kid: 'of-november', crv: 'P-256', x, y };
const issuer = 'https://token.actions.githubusercontent.com';

export const definition = digestOf('the configuration of the agent');

/** An enrolment by a workload token before it is signed and archived: tests bend any of it. */
export interface EnrolmentDraft {
  rule: Record<string, unknown>;
  claims: Record<string, unknown>;
  evidence: Record<string, unknown>;
  /** Whose key signs the challenge. */
  holder: Signer;
  /** What the challenge is about, if not about this. */
  challenge?: { origin?: string; token?: string; definition?: string | null };
}

const seconds = Math.floor(start / 1000);

export const honestRule: TrustRule = {
  ...{ name: 'mender', kind: 'pipeline', platform: 'github-actions', issuer, audience: 'https://deed.example.com' },
  subject: 'repo:acme/site:environment:production',
  claims: { repository_id: '74012345', repository_owner_id: '65012345' },
};

/** The agent of the story comes in by the token of a job instead of a one-time code. */
export function byWorkload(change: (draft: EnrolmentDraft, story: Story) => void = () => {}): Bend {
  const drafts = new WeakMap<Story, EnrolmentDraft>();
  const draftOf = (story: Story): EnrolmentDraft => {
    const known = drafts.get(story);
    if (known) return known;
    const made: EnrolmentDraft = {
      rule: { ...honestRule },
      claims: {
        ...{ iss: issuer, aud: 'https://deed.example.com', sub: honestRule.subject, jti: 'job-1' },
        ...{ iat: seconds, nbf: seconds, exp: seconds + 300, event_name: 'push' },
        ...{ repository_id: '74012345', repository_owner_id: '65012345' },
      },
      evidence: {},
      holder: actors.agent,
    };
    change(made, story);
    drafts.set(story, made);
    return made;
  };
  return {
    parts: ['write'],
    trustRules: (story) => [draftOf(story).rule],
    draft(draft, story) {
      if (draft.step === 'agent') withEvidence(draft, story, draftOf(story));
    },
  };
}

export function jwt(claims: object, header: object = {}): string {
  const part = (value: object) => toBase64Url(utf8(JSON.stringify(value)));
  const signed = `${part({ alg: 'ES256', kid: issuerKey.kid, typ: 'JWT', ...header })}.${part(claims)}`;
  const signature = sign('sha256', utf8(signed), { key: pair.privateKey, dsaEncoding: 'ieee-p1363' });
  return `${signed}.${toBase64Url(signature)}`;
}

/** The archive of an enrolment, as a payload of the case. */
export function evidenceOf(
  story: Story,
  { rule, claims, evidence, holder, challenge = {} }: EnrolmentDraft,
  spki = actors.agent.spki,
) {
  const token = jwt(claims);
  const about = { origin, token, definition, ...challenge };
  const signed = workloadChallenge(about.origin, about.token, about.definition, spki);
  const archived = {
    token,
    key: issuerKey,
    issuer: { discovery: '{}', jwks: JSON.stringify({ keys: [{ ...issuerKey, use: 'sig' }] }), change: 'first' },
    rule: String(rule.name),
    bundle: story.bundle,
    at: new Date(story.log.nowMs).toISOString(),
    proof: toBase64(holder.sign(signed)),
    definition: null,
    ...evidence,
  } as Omit<EnrolmentEvidence, 'v'>;
  return story.log.payload(encodeEnrolmentEvidence(archived), enrolmentEvidenceType);
}

function withEvidence(draft: Draft, story: Story, made: EnrolmentDraft): void {
  Object.assign(draft.body, {
    ...{ kind: 'pipeline', spiffe, how: 'workload-token', policy: story.digest('policy') },
    evidence: evidenceOf(story, made),
  });
}
