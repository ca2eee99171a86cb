import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newId } from '@deed/evidence';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type AwsStsOptions, awsStsBroker } from '../../src/brokers/aws-sts.ts';
import { signedHeaders } from '../../src/brokers/sigv4.ts';
import { FakeService } from './fake.ts';

const sts = new FakeService();
const dir = mkdtempSync(join(tmpdir(), 'deed-sts-'));
const now = Date.UTC(2026, 10, 23, 12, 0, 0);
const roleArn = 'arn:aws:iam::123456789012:role/deploy';
const key = { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' };
const id = newId('credential', now);
const task = newId('task', now);
let endpoint: string;

function file(name: string, text: string): string {
  const path = join(dir, name);
  writeFileSync(path, text, { mode: 0o600 });
  return path;
}
const broker = (over: Partial<AwsStsOptions> = {}) =>
  awsStsBroker({
    ...{
      name: 'cloud',
      region: 'eu-central-1',
      endpoint,
      roleArn,
      maxSeconds: 3600,
      servers: () => ['s3'],
      now: () => now,
    },
    ...(over.tokenFile === undefined ? { keyFile: file('key.json', JSON.stringify(key)) } : {}),
    ...over,
  });
const mint = (over: Partial<AwsStsOptions> = {}, forSeconds = 1800) =>
  broker(over).mint({ task, id, targets: ['s3'], deadlineMs: now + forSeconds * 1000 });

/** As the API reference shows it. */
const session = (action: string, name = id, expiration = '2026-11-23T12:30:00Z') => ({
  status: 200,
  headers: { 'content-type': 'text/xml' },
  body: `<${action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <${action}Result>
  <SourceIdentity>${task}</SourceIdentity>
    <AssumedRoleUser>
      <Arn>arn:aws:sts::123456789012:assumed-role/deploy/${name}</Arn>
      <AssumedRoleId>ARO123EXAMPLE123:${name}</AssumedRoleId>
    </AssumedRoleUser>
    <Credentials>
      <AccessKeyId>ASIAIOSFODNN7EXAMPLE</AccessKeyId>
      <SecretAccessKey>wJalrXUtnFEMI/K7MDENG/bPxRfiCYzEXAMPLEKEY</SecretAccessKey>
      <SessionToken>
       AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQW==
      </SessionToken>
      <Expiration>${expiration}</Expiration>
    </Credentials>
    <PackedPolicySize>8</PackedPolicySize>
  </${action}Result>
  <ResponseMetadata><RequestId>c6104cbe-af31-11e0-8154-cbc7ccf896c7</RequestId></ResponseMetadata>
</${action}Response>`,
});
const error = (status: number, code: string, message: string, date = new Date(now).toUTCString()) => ({
  status,
  headers: { date },
  body: `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>${code}</Code><Message>${message}</Message></Error><RequestId>r</RequestId></ErrorResponse>`,
});

beforeAll(async () => {
  endpoint = await sts.start();
});
afterAll(() => sts.stop());

test('AssumeRole: each field as documented, signed, with the task as source identity', async () => {
  sts.answer = () => session('AssumeRole');
  const policyFile = file('policy.json', '{ "Version": "2012-10-17", "Statement": [] }');
  expect(await mint({ policyFile })).toEqual({
    id,
    secret: {
      accessKeyId: 'ASIAIOSFODNN7EXAMPLE',
      secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYzEXAMPLEKEY',
      sessionToken: 'AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQW==',
      region: 'eu-central-1',
    },
    expiresMs: now + 1_800_000,
  });
  const { method, path, headers, body } = sts.last();
  expect({ method, path }).toEqual({ method: 'POST', path: '/' });
  expect(Object.fromEntries(new URLSearchParams(body))).toEqual({
    ...{ Action: 'AssumeRole', Version: '2011-06-15', RoleArn: roleArn, RoleSessionName: id, SourceIdentity: task },
    ...{ DurationSeconds: '1800', Policy: '{"Version":"2012-10-17","Statement":[]}' },
  });
  const plain = { 'content-type': headers['content-type'] ?? '', host: headers.host ?? '' };
  const signed = {
    method: 'POST',
    url: new URL(endpoint),
    headers: plain,
    body,
    region: 'eu-central-1',
    service: 'sts',
    key,
    now,
  } as const;
  expect(headers).toMatchObject(signedHeaders(signed));
  expect(headers['x-amz-date']).toBe('20261123T120000Z');
});

test('AssumeRoleWithWebIdentity: the token in its field, and no signature', async () => {
  sts.answer = () => session('AssumeRoleWithWebIdentity');
  await mint({ tokenFile: file('token', 'eyJhbGciOi.J9.x\n') });
  const { headers, body } = sts.last();
  expect(headers.authorization).toBeUndefined();
  expect(Object.fromEntries(new URLSearchParams(body))).toEqual({
    ...{ Action: 'AssumeRoleWithWebIdentity', Version: '2011-06-15', RoleArn: roleArn, RoleSessionName: id },
    ...{ DurationSeconds: '1800', WebIdentityToken: 'eyJhbGciOi.J9.x' },
  });
});

test.each([
  [60, '900'],
  [86_400, '3600'],
])(
  'a task of %d seconds asks for a session of %s: no shorter is given, no longer is allowed',
  async (seconds, asked) => {
    sts.answer = () => session('AssumeRole');
    await mint({}, seconds);
    expect(new URLSearchParams(sts.last().body).get('DurationSeconds')).toBe(asked);
  },
);

test.each([
  ['a token that has expired', error(400, 'ExpiredTokenException', 'Token expired'), /renew the server's own token/],
  ['too many requests', error(400, 'Throttling', 'Rate exceeded'), /limit the rate/],
  [
    'a clock that is off',
    error(403, 'SignatureDoesNotMatch', 'Signature expired', new Date(now - 1_200_000).toUTCString()),
    /this clock is 1200 s off theirs/,
  ],
  [
    'a role that does not trust this server',
    error(403, 'AccessDenied', 'not authorized'),
    /403 AccessDenied: not authorized/,
  ],
  ['a session of another name', session('AssumeRole', 'crd_other'), /another name/],
  ['the answer to another action', session('AssumeRoleWithSAML'), /not one/],
  ['a time that is none', session('AssumeRole', id, 'soon'), /soon is no time/],
  ['a page in between', { status: 502, body: '<html>bad gateway</html>' }, /not in form/],
  ['a redirect', { status: 302, headers: { location: 'http://127.0.0.1:1/' } }, /not in form/],
])('%s mints nothing and says why', async (_what, answer, why) => {
  sts.answer = () => answer;
  await expect(mint()).rejects.toMatchObject({ code: 'broker', message: expect.stringMatching(why) });
});

test('a session is not taken back, and says so; it is probed by GetCallerIdentity', async () => {
  await expect(broker().revoke(id, null)).rejects.toThrow(/ends by itself/);
  const secret = { ...key, sessionToken: 'token' };
  sts.answer = () => ({ status: 200, body: '<GetCallerIdentityResponse/>' });
  expect(await broker().probe(id, secret)).toMatchObject({ refused: false });
  const { headers, body } = sts.last();
  expect(body).toBe('Action=GetCallerIdentity&Version=2011-06-15');
  expect(headers['x-amz-security-token']).toBe('token');
  sts.answer = () => error(403, 'ExpiredToken', 'The security token included in the request is expired');
  expect(await broker().probe(id, secret)).toMatchObject({ refused: true });
  sts.answer = () => error(400, 'Throttling', 'Rate exceeded');
  await expect(broker().probe(id, secret)).rejects.toThrow(/did not say/);
});
