import { cpSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TrustRule, trustRulesFile, workloadChallenge } from '@deed/evidence';
import type { Issuer } from '../../../../examples/issuer/issuer.ts';
import { shapes } from '../../../../examples/issuer/shapes.ts';
import type { Enrolled, Enrolment } from '../../src/identity/enrol.ts';
import { newP256, signP256, spkiOf } from '../../src/keys/p256.ts';
import { checkBundle } from '../../src/policy/bundle.ts';
import { defaultPolicyFolder } from '../../src/policy/default.ts';
import type { World } from '../world.ts';

export const audience = 'https://deed.example.com';

/** The default policy with these trust rules. */
export function bundleWith(rules: readonly unknown[]): string {
  const folder = join(mkdtempSync(join(tmpdir(), 'deed-identities-')), 'bundle');
  cpSync(defaultPolicyFolder, folder, { recursive: true });
  writeFileSync(join(folder, trustRulesFile), JSON.stringify({ v: 1, rules }));
  return folder;
}

/** Puts the default policy with these trust rules into force. */
export async function trust(world: World, rules: readonly unknown[]): Promise<void> {
  const folder = bundleWith(rules);
  const { policy } = world.authority;
  const bytes = policy.wordBytes(checkBundle(folder).digest, world.init.person);
  await policy.activate(folder, await world.person.word('deed-activation-v1', bytes));
}

/** A sound rule for each platform, for tokens of an issuer on this machine. */
export function rulesFor(issuer: string): Record<keyof typeof shapes, TrustRule> {
  const common = { issuer, audience, loopback: true } as const;
  return {
    githubActions: {
      ...{ ...common, name: 'site-deploy', kind: 'pipeline', platform: 'github-actions' },
      subject: 'repo:acme/site:environment:production',
      claims: { repository_id: '74012345', repository_owner_id: '65012345' },
    },
    kubernetes: {
      ...{ ...common, name: 'checkout', kind: 'service', platform: 'kubernetes' },
      subject: 'system:serviceaccount:shop:checkout',
      claims: { 'kubernetes.io': { serviceaccount: { uid: '14ee3fa4-a7e2-420f-9f9a-dbc4507c3798' } } },
    },
    aws: {
      ...{ ...common, name: 'aws-deploy', kind: 'service', platform: 'aws' },
      subject: { pattern: 'arn:aws:iam::123456789012:role/deploy/*' },
      claims: { 'https://sts.amazonaws.com/': { aws_account: '123456789012' } },
    },
    gcp: {
      ...{ ...common, name: 'gcp-site', kind: 'service', platform: 'gcp' },
      subject: '104029292853099978293',
      claims: { email: 'site@acme-prod.iam.gserviceaccount.com' },
    },
    azure: {
      ...{ ...common, name: 'azure-site', kind: 'service', platform: 'azure' },
      subject: '9f2f6c1e-4d0c-4d55-8ad7-3f1c66f0b8a1',
      claims: { tid: '7a1f0d3c-52b1-4a7e-9d35-0c7f64a2d911' },
    },
  };
}

/** The claims of a job of GitHub Actions at the world's time. */
export function jobClaims(world: World, issuer: Issuer): ReturnType<typeof shapes.githubActions> {
  return shapes.githubActions({ iss: issuer.url, aud: audience, now: Math.floor(world.clock.now() / 1000) });
}

/** What a workload with this token sends to enrol. */
export async function application(
  world: World,
  token: string,
  definition: Enrolment['definition'] = null,
  key = newP256(),
) {
  const spki = spkiOf(key);
  const digest = definition && 'sha256' in definition ? definition.sha256 : null;
  const proof = await signP256(key, workloadChallenge(world.init.origin, token, digest, spki));
  return { token, spki, proof, definition, key };
}

export async function enrolBy(
  world: World,
  token: string,
  definition: Enrolment['definition'] = null,
): Promise<Enrolled & { readonly key: ReturnType<typeof newP256> }> {
  const { key, ...sent } = await application(world, token, definition);
  return { ...(await world.authority.workloads.enrol(sent, [audience])), key };
}
