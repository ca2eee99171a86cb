import { matchesSubject, parseTrustRules, type TrustRule, utf8, whyNotAdmitted } from '@deed/evidence';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkTrustRules, lintTrustRule, type TrustRefusal } from '../../src/identity/lint.ts';
import { checkBundle } from '../../src/policy/bundle.ts';
import { refused } from '../refused.ts';
import { bundleWith, rulesFor } from './world.ts';

const { githubActions: job, kubernetes, aws, gcp, azure } = rulesFor('http://127.0.0.1:8080');
const tenant = '7a1f0d3c-52b1-4a7e-9d35-0c7f64a2d911';
/** Rules as they stand in a deployment: with the platforms' own issuers. */
const { loopback: _, ...rest } = job;
const github: TrustRule = { ...rest, issuer: 'https://token.actions.githubusercontent.com' };
const sound: readonly TrustRule[] = [
  github,
  { ...github, subject: 'repo:acme/site:ref:refs/heads/main' },
  { ...github, subject: { pattern: 'repo:acme/site:ref:refs/tags/*' } },
  { ...github, subject: { pattern: 'repo:acme/site:ref:refs/heads/release/*' } },
  { ...github, audience: 'a98aef92.deed.local' },
  { ...kubernetes, loopback: undefined, issuer: 'https://oidc.eks.eu-central-1.amazonaws.com/id/0A1B' } as TrustRule,
  { ...kubernetes, subject: { pattern: 'system:serviceaccount:shop:*' } },
  { ...aws, loopback: undefined, issuer: 'https://abc123.tokens.sts.global.api.aws' } as TrustRule,
  { ...gcp, loopback: undefined, issuer: 'https://accounts.google.com', maxAgeSeconds: 3600 } as TrustRule,
  {
    ...azure,
    loopback: undefined,
    issuer: `https://sts.windows.net/${tenant}/`,
    audience: 'api://a98aef92.deed.local',
  } as TrustRule,
  {
    ...rest,
    name: 'lab',
    platform: 'oidc',
    issuer: 'https://gitlab.example.com',
    subject: 'project_path:acme/site:ref_type:branch:ref:main',
  },
];

test('sound rules pass, and are what the bundle holds', () => {
  for (const rule of sound) expect(lintTrustRule(rule), JSON.stringify(rule.subject)).toEqual([]);
  expect(checkBundle(bundleWith([github])).files.map(({ path }) => path)).toContain('identities.json');
});

const wide: Readonly<Record<string, readonly [rule: object, refusal: TrustRefusal]>> = {
  'each repository of an owner': [{ ...github, subject: { pattern: 'repo:acme/*' } }, 'context'],
  'each context of a repository, pull requests among them': [
    { ...github, subject: { pattern: 'repo:acme/site:*' } },
    'context',
  ],
  'each environment': [{ ...github, subject: { pattern: 'repo:acme/site:environment:*' } }, 'context'],
  'each branch': [{ ...github, subject: { pattern: 'repo:acme/site:ref:refs/heads/*' } }, 'context'],
  'pull requests': [{ ...github, subject: 'repo:acme/site:pull_request' }, 'context'],
  'pull requests by a claim': [
    { ...github, claims: { ...github.claims, event_name: 'pull_request_target' } },
    'context',
  ],
  'neither an environment nor a ref': [{ ...github, subject: 'repo:acme/site' }, 'context'],
  'a repository by its name alone': [{ ...github, claims: { repository_owner_id: '1' } }, 'owner'],
  'an owner by his name alone': [{ ...github, claims: { repository_id: '1' } }, 'owner'],
  'a wildcard in an exact subject': [{ ...github, subject: 'repo:acme/*:environment:x' }, 'wildcard'],
  'a part of a segment': [{ ...github, subject: { pattern: 'repo:acme/site:ref:refs/heads/rel*' } }, 'wildcard'],
  'a wildcard in the middle': [{ ...github, subject: { pattern: 'repo:*/site:ref:refs/heads/a/*' } }, 'wildcard'],
  everything: [{ ...github, subject: { pattern: '*' } }, 'wildcard'],
  'a wildcard in a claim': [{ ...github, claims: { ...github.claims, ref: 'refs/heads/*' } }, 'wildcard'],
  'each namespace': [{ ...kubernetes, subject: { pattern: 'system:serviceaccount:*:checkout' } }, 'owner'],
  'each service account': [{ ...kubernetes, subject: { pattern: 'system:serviceaccount:*' } }, 'owner'],
  'a role of another account than its claim': [
    { ...aws, claims: { 'https://sts.amazonaws.com/': { aws_account: '999999999999' } } },
    'owner',
  ],
  'a role without its account': [{ ...aws, claims: {} }, 'owner'],
  'each role of an account': [{ ...aws, subject: { pattern: 'arn:aws:iam::123456789012:role/*' } }, 'owner'],
  'each AWS account': [{ ...aws, loopback: undefined, issuer: 'https://sts.amazonaws.com' }, 'platform'],
  'any Google account': [{ ...gcp, claims: {} }, 'owner'],
  'a Google account by its address': [{ ...gcp, subject: 'somebody@gmail.com' }, 'owner'],
  'each Azure tenant': [
    { ...azure, loopback: undefined, issuer: 'https://login.microsoftonline.com/common/v2.0' },
    'platform',
  ],
  'an Azure identity without its tenant': [{ ...azure, claims: {} }, 'owner'],
  'GitHub’s issuer as any other': [{ ...github, platform: 'oidc' }, 'platform'],
  'an audience that others have': [{ ...github, audience: 'https://github.com/acme' }, 'audience'],
  'the audience of a cloud': [{ ...github, audience: 'sts.amazonaws.com' }, 'audience'],
  'an issuer without TLS': [{ ...github, issuer: 'http://issuer.example.com' }, 'issuer'],
  'an issuer at an address': [{ ...github, issuer: 'https://10.0.0.1' }, 'issuer'],
  'an issuer on this machine that is not marked so': [{ ...job, loopback: undefined }, 'issuer'],
  'a marked rule for an issuer elsewhere': [{ ...job, issuer: 'https://issuer.example.com' }, 'issuer'],
  'an issuer with a user in it': [
    { ...github, issuer: 'https://token.actions.githubusercontent.com@evil.example' },
    'issuer',
  ],
  'keys at a private place': [{ ...github, jwks: 'https://127.0.0.1/keys' }, 'keys'],
  'old tokens of a platform that makes fresh ones': [{ ...github, maxAgeSeconds: 3600 }, 'age'],
  'a name that looks like an id': [{ ...github, name: 'agt_01' }, 'name'],
  'a pattern of a platform that nobody knows here': [{ ...sound.at(-1), subject: { pattern: 'a:*' } }, 'owner'],
};

describe('a rule is refused that admits', () => {
  for (const [what, [rule, refusal]] of Object.entries(wide)) {
    test(what, () => {
      const text = utf8(JSON.stringify({ v: 1, rules: [rule] }));
      const [parsed] = parseTrustRules(text);
      expect(lintTrustRule(parsed as TrustRule).map((problem) => problem.refusal)).toContain(refusal);
      expect(() => checkTrustRules(text)).toThrow(`(${refusal})`);
    });
  }
});

test('a bundle with such a rule, with unknown members or twice the same name is no bundle', async () => {
  const bad = [{ ...github, subject: { pattern: 'repo:acme/*' } }];
  for (const rules of [bad, [{ ...github, more: 1 }], [github, github], [{ ...github, kind: 'human' }]]) {
    expect(await refused(() => checkBundle(bundleWith(rules)))).toBe('policy-invalid');
  }
});

const part = fc.stringMatching(/^[A-Za-z0-9._-]{1,12}$/);
const hostile = fc.oneof(part, fc.constantFrom('*', '', 'acme', 'site', 'acme/site', 'refs', 'production', 'x:y'));

describe('a linted rule never matches a subject of another owner', () => {
  const ofGithub = fc.record({
    owner: part,
    repository: part,
    context: fc.oneof(
      hostile.map((name) => `:environment:${name}`),
      fc.array(hostile, { maxLength: 4 }).map((parts) => `:ref:refs/heads/${parts.join('/')}`),
      fc.array(hostile, { maxLength: 3 }).map((parts) => `:ref:refs/tags/${parts.join('/')}`),
      fc.array(hostile, { maxLength: 4 }).map((parts) => parts.join(':')),
    ),
    isPattern: fc.boolean(),
  });
  const subject = fc.oneof(
    fc.string(),
    fc
      .record({ owner: hostile, repository: hostile, rest: fc.array(hostile, { maxLength: 6 }) })
      .map(
        ({ owner, repository, rest: more }) => `repo:${owner}/${repository}${more.map((one) => `:${one}`).join('')}`,
      ),
  );

  test('of GitHub: owner and repository of what matches are the rule’s', () => {
    fc.assert(
      fc.property(ofGithub, subject, part, ({ owner, repository, context, isPattern }, given, tail) => {
        const text = `repo:${owner}/${repository}${context}`;
        const rule = { ...github, subject: isPattern ? { pattern: text } : text } as TrustRule;
        fc.pre(lintTrustRule(rule).length === 0);
        for (const sub of [given, text.replace('*', tail), text.replace(owner, tail), text.replace(repository, tail)]) {
          if (!matchesSubject(rule.subject, sub)) continue;
          expect(sub.startsWith(`repo:${owner}/${repository}:`)).toBe(true);
          expect(sub.endsWith(':pull_request')).toBe(false);
        }
      }),
    );
  });

  test('of any platform: what matches a pattern differs from it in the last segment alone, and that is whole', () => {
    const patterns = sound.flatMap((rule) =>
      typeof rule.subject === 'string' ? [] : [{ rule, pattern: rule.subject.pattern }],
    );
    fc.assert(
      fc.property(fc.constantFrom(...patterns), fc.string(), fc.array(hostile), ({ rule, pattern }, text, parts) => {
        const fixed = pattern.slice(0, -1);
        for (const sub of [
          text,
          parts.join(':'),
          parts.join('/'),
          fixed + text,
          `${fixed}${parts.join('/')}`,
          text + fixed,
        ]) {
          const matched = matchesSubject(rule.subject, sub);
          const tail = sub.slice(fixed.length);
          expect(matched).toBe(sub.startsWith(fixed) && tail !== '' && !/[:/]/.test(tail));
        }
      }),
    );
  });

  test('and claims are required whole: nothing stands for an absent or another one', () => {
    const value = fc.oneof(
      fc.string(),
      fc.integer(),
      fc.boolean(),
      fc.constant(null),
      fc.array(fc.string()),
      fc.object(),
    );
    fc.assert(
      fc.property(fc.record({ repository_id: value, repository_owner_id: value }, { requiredKeys: [] }), (claims) => {
        const token = { iss: github.issuer, aud: github.audience, sub: github.subject as string, ...claims };
        const equal = claims.repository_id === '74012345' && claims.repository_owner_id === '65012345';
        expect(whyNotAdmitted(github, JSON.parse(JSON.stringify(token))) === null).toBe(equal);
      }),
    );
  });
});
