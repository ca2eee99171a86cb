import { randomUUID } from 'node:crypto';

/** The claims of workload tokens as the platforms make them, with made-up values. Times in seconds since 1970. */
interface Wanted {
  readonly iss: string;
  readonly aud: string;
  readonly now: number;
}

const lives = (now: number, seconds: number) => ({ iat: now, nbf: now, exp: now + seconds });

/** GitHub Actions (docs.github.com, "OpenID Connect reference"): a job in the environment `production`. */
function githubActions({ iss, aud, now }: Wanted) {
  return {
    ...{ iss, aud, sub: 'repo:acme/site:environment:production', jti: randomUUID(), ...lives(now, 300) },
    ...{ actor: 'octocat', actor_id: '583231', base_ref: '', head_ref: '', environment: 'production' },
    ...{ event_name: 'push', ref: 'refs/heads/main', ref_protected: 'true', ref_type: 'branch' },
    ...{
      repository: 'acme/site',
      repository_id: '74012345',
      repository_owner: 'acme',
      repository_owner_id: '65012345',
    },
    ...{ repository_visibility: 'private', run_attempt: '1', run_id: '9876543210', run_number: '42' },
    ...{ runner_environment: 'github-hosted', sha: 'a'.repeat(40), workflow: 'deploy' },
    workflow_ref: 'acme/site/.github/workflows/deploy.yml@refs/heads/main',
    job_workflow_ref: 'acme/site/.github/workflows/deploy.yml@refs/heads/main',
  };
}

/** A projected service account token (kubernetes.io, "Managing Service Accounts"): its audience is a list. */
function kubernetes({ iss, aud, now }: Wanted) {
  return {
    ...{ iss, aud: [aud], sub: 'system:serviceaccount:shop:checkout', jti: randomUUID(), ...lives(now, 600) },
    'kubernetes.io': {
      namespace: 'shop',
      node: { name: 'node-1', uid: randomUUID() },
      pod: { name: 'checkout-7c9d8f6b5-x2x4z', uid: randomUUID() },
      serviceaccount: { name: 'checkout', uid: '14ee3fa4-a7e2-420f-9f9a-dbc4507c3798' },
    },
  };
}

/** AWS `sts:GetWebIdentityToken`: what AWS says is below one claim. */
function aws({ iss, aud, now }: Wanted) {
  return {
    ...{ iss, aud, sub: 'arn:aws:iam::123456789012:role/deploy/site', jti: randomUUID(), iat: now, exp: now + 300 },
    'https://sts.amazonaws.com/': {
      ...{ aws_account: '123456789012', source_region: 'eu-central-1', org_id: 'o-abc1234567' },
      ...{ principal_id: 'arn:aws:iam::123456789012:role/deploy/site', principal_tags: { team: 'web' } },
    },
  };
}

/** The identity token of a Google Cloud service account, from the metadata server. */
function gcp({ iss, aud, now }: Wanted) {
  return {
    ...{ iss, aud, azp: '104029292853099978293', sub: '104029292853099978293', iat: now, exp: now + 3600 },
    ...{ email: 'site@acme-prod.iam.gserviceaccount.com', email_verified: true },
    google: {
      compute_engine: {
        ...{ instance_id: '152986662232938449', instance_name: 'site-1', project_id: 'acme-prod' },
        ...{ project_number: 739419398126, zone: 'europe-west3-a' },
      },
    },
  };
}

/** The token of an Azure managed identity for an application of ours. */
function azure({ iss, aud, now }: Wanted) {
  const object = '9f2f6c1e-4d0c-4d55-8ad7-3f1c66f0b8a1';
  return {
    ...{ iss, aud, sub: object, oid: object, tid: '7a1f0d3c-52b1-4a7e-9d35-0c7f64a2d911', ...lives(now, 86_400) },
    ...{ appid: 'c0ffee00-1111-4222-8333-444455556666', appidacr: '2', idp: 'https://sts.windows.net/7a1f0d3c/' },
    ...{ uti: 'Zk1f', ver: '1.0', xms_mirid: '/subscriptions/0/resourcegroups/web/providers/x/site' },
  };
}

export const shapes = { githubActions, kubernetes, aws, gcp, azure } as const;
