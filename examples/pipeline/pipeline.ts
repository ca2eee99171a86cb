import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Report } from '@deed/evidence';
import { Issuer } from '../issuer/issuer.ts';
import { shapes } from '../issuer/shapes.ts';
import { Deployment } from '../two-agents/deployment.ts';

const here = new Deployment({ listen: '127.0.0.1:0' });
const issuer = await Issuer.start();
const deployer = spawn(process.execPath, [join(import.meta.dirname, 'deployer.ts')], {
  stdio: ['ignore', 'pipe', 'pipe'],
  env: { ...process.env, DEPLOYER_TOKEN: 'dt-5d41402abc4b' },
});
/** What the service wrote down itself, a line a request. */
const books = linesOf(deployer, 'stderr');
try {
  await here.begin();
  await tell();
} finally {
  deployer.kill('SIGINT');
  await issuer.close();
  await here.end();
}

/** A job of a pipeline acts as an enrolled service account, by a shell, curl and openssl. */
async function tell(): Promise<void> {
  say('an operator registers the service with its token, and trusts the jobs of one environment');
  const { url } = JSON.parse(await firstLine(deployer)) as { url: string };
  const operations = ['staging', 'production', 'moon'].flatMap((environment) => [
    '--operation',
    `deploy_${environment}=POST /environments/${environment}/deployments`,
  ]);
  await here.deedWith('dt-5d41402abc4b\n', 'secret', 'add', 'deployer-token', '--env', 'TOKEN');
  // biome-ignore lint/suspicious/noTemplateCurlyInString: a place to be filled in by the server
  const header = ['--header', 'Authorization=Bearer ${deed:TOKEN}'];
  await here.deed('tool', 'add', 'deployer', '--url', url, ...header, '--credential', 'deployer-token', ...operations);
  await here.activate(policy());

  say('the job enrols a fresh key by what its platform says of it');
  const token = join(here.folder, 'job.jwt');
  const claims = shapes.githubActions({ iss: issuer.url, aud: here.url, now: Math.floor(Date.now() / 1000) });
  writeFileSync(token, issuer.token(claims));
  const keyFile = join(here.folder, 'job.key.json');
  const enrol = ['--workload-token', token, '--key', keyFile, '--url', here.url];
  const { agent: id } = await here.deed<{ agent: string }>('agent', 'enroll', ...enrol);
  const allowed = ['deploy_staging', 'deploy_production'];
  const allow = here.allow('job', [{ server: 'self:ci' }, { server: 'deployer', tools: allowed }]);
  const opened = ['--agent', id, '--allow', allow, '--ceiling', 'approve'];
  const { task } = await here.deed<{ task: string }>('task', 'open', 'Release 1.4.0 of the site', ...opened);

  say('the job runs: it tests, deploys to staging, waits for a person, and deploys to production');
  const job = spawn(join(import.meta.dirname, 'job.sh'), {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, VERSION: '1.4.0', JOB: 'run-42', DEED_URL: here.url, DEED_TASK: task, DEED_KEY: keyFile },
  });
  const said = linesOf(job, 'stdout', async (line) => {
    console.log(`  ${line}`);
    const action = /waits for a person: (act_\w+)/.exec(line)?.[1];
    if (action) await here.deed('approve', action, '--yes', ...here.signing);
  });
  const code = await new Promise((done) => job.once('close', done));
  assert.equal(code, 0);
  assert.deepEqual(
    said.filter((line) => !line.includes('waits')),
    ['test: ok', 'staging: ok', 'production: ok', 'moon: outside-grant', 'moon: it goes on without', 'the job is done'],
  );

  say('the service was asked twice, and only for what was allowed');
  assert.deepEqual(
    books.map((line) => (JSON.parse(line) as { path: string }).path),
    ['/environments/staging/deployments', '/environments/production/deployments'],
  );

  say('the job asked for its task to be closed; whoever answers for it does');
  const shown = await here.deed<{ asked: string | null }>('task', 'show', task);
  assert.notEqual(shown.asked, null);
  const report = await verified(task);
  assert.equal(report.verdict, 'VERIFIED', JSON.stringify(report.reasons));
  for (const { resource, observed, end } of report.actions) console.log(`  ${resource}: ${end} (${observed})`);
  assert.deepEqual(
    report.actions.map(({ observed, end }) => [observed, end]),
    [
      ['self-reported', 'ok'],
      ['gateway-executed', 'ok'],
      ['gateway-executed', 'ok'],
      ['gateway-executed', 'refused'],
    ],
  );
  console.log('Everything is as it should be.');
}

/** The default policy, a trust rule for the jobs, and a person for production. */
function policy(): string {
  const folder = join(here.folder, 'policy');
  cpSync(join(import.meta.dirname, '../../packages/authority/policy/default'), folder, { recursive: true });
  const subject = 'repo:acme/site:environment:production';
  const claims = { repository_id: '74012345', repository_owner_id: '65012345' };
  const rule = { name: 'site-deploy', kind: 'pipeline', platform: 'github-actions', subject, claims };
  const trusted = { ...rule, issuer: issuer.url, audience: here.url, loopback: true };
  writeFileSync(join(folder, 'identities.json'), JSON.stringify({ v: 1, rules: [trusted] }));
  const production = `@id("production-takes-a-person")
@tier("approve")
permit (principal, action == Deed::Action::"call", resource) when { resource.name == "deploy_production" };
`;
  writeFileSync(join(folder, 'production.cedar'), production);
  return folder;
}

async function verified(task: string): Promise<Report> {
  const file = join(here.folder, `${task}.deed`);
  await here.deed('task', 'close', task);
  await here.deed('case', 'export', task, '-o', file);
  return here.deed<Report>('verify', file, '--trust', here.trust);
}

function firstLine({ stdout }: ChildProcess): Promise<string> {
  return new Promise((done) => {
    if (stdout) createInterface({ input: stdout }).once('line', done);
  });
}

/** The lines that a process writes, as they come. */
function linesOf(child: ChildProcess, from: 'stdout' | 'stderr', each: (line: string) => unknown = () => {}): string[] {
  const lines: string[] = [];
  const stream = child[from];
  if (stream)
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line);
      void each(line);
    });
  return lines;
}

function say(text: string): void {
  console.log(`- ${text}`);
}
