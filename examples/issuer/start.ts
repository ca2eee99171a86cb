import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { Issuer } from './issuer.ts';
import { shapes } from './shapes.ts';

const { values } = parseArgs({ options: { dir: { type: 'string' }, audience: { type: 'string' } } });
if (values.dir === undefined || values.audience === undefined) {
  console.error('usage: node examples/issuer/start.ts --dir DIR --audience AUDIENCE');
  process.exit(2);
}
const { dir, audience } = values;
const issuer = await Issuer.start('RS256');
const token = (name: string, over: object = {}) => {
  const claims = {
    ...shapes.githubActions({ iss: issuer.url, aud: audience, now: Math.floor(Date.now() / 1000) }),
    ...over,
  };
  writeFileSync(join(resolve(dir), name), `${issuer.token(claims)}\n`, { mode: 0o600 });
};
token('job.jwt');
token('next-job.jwt');
token('fork.jwt', { sub: 'repo:acme/site:pull_request', event_name: 'pull_request', environment: undefined });
console.log(JSON.stringify({ issuer: issuer.url }));
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void issuer.close());
