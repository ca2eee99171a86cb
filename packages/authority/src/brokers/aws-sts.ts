import { readFileSync } from 'node:fs';
import { parseStrictJson } from '@deed/evidence';
import { z } from 'zod';
import { AuthorityError } from '../errors.ts';
import { readPrivateFile } from '../keys/private-file.ts';
import { type CredentialBroker, type MintedCredential, serversNamed } from './broker.ts';
import { ask, type TargetAnswer } from './http.ts';
import { type AwsKey, signedHeaders } from './sigv4.ts';
import { parseXml } from './xml.ts';

export interface AwsStsOptions {
  readonly name: string;
  readonly region: string;
  /** Default: `https://sts.<region>.amazonaws.com`. */
  readonly endpoint?: string | undefined;
  readonly roleArn: string;
  /** File of mode 0600 with `{"accessKeyId": …, "secretAccessKey": …, "sessionToken"?: …}`: AssumeRole. */
  readonly keyFile?: string | undefined;
  /** File of mode 0600 with an OIDC token of this server: AssumeRoleWithWebIdentity, which is not signed. */
  readonly tokenFile?: string | undefined;
  /** An IAM policy: a session may do what it and the role both allow. */
  readonly policyFile?: string | undefined;
  /** The longest session that the role allows, in seconds. */
  readonly maxSeconds: number;
  readonly servers: () => readonly string[];
  readonly now: () => number;
}

const version = '2011-06-15';
const namespace = `https://sts.amazonaws.com/doc/${version}/`;
/** Shorter sessions are not given. */
const minSeconds = 900;
const maxPolicyChars = 2048;
const key = z.strictObject({
  accessKeyId: z.string().regex(/^\w{16,128}$/),
  secretAccessKey: z.string().min(1),
  sessionToken: z.string().min(1).optional(),
});

/**
 * A session of an AWS role for each task (AWS STS API Reference, 2011-06-15). Its name is the credential's id, which CloudTrail shows in
 * the session's ARN; with AssumeRole its source identity is the task, which no session that it opens further can shed. Nothing takes a
 * session back: it ends by itself, after 15 minutes at the earliest.
 */
export function awsStsBroker(options: AwsStsOptions): CredentialBroker {
  const { name, region, roleArn, maxSeconds, now } = options;
  const endpoint = new URL(options.endpoint ?? `https://sts.${region}.amazonaws.com`);
  const call = (fields: Readonly<Record<string, string>>, signedBy: AwsKey | null): Promise<TargetAnswer> => {
    const body = new URLSearchParams({ ...fields, Version: version }).toString();
    const plain = { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8', host: endpoint.host };
    const { host: _, ...headers } = signedBy
      ? signedHeaders({
          method: 'POST',
          url: endpoint,
          headers: plain,
          body,
          region,
          service: 'sts',
          key: signedBy,
          now: now(),
        })
      : plain;
    return ask(endpoint.href, { method: 'POST', headers, body });
  };
  return {
    name,
    kind: 'aws-sts',
    debt: 'none',
    expiresMs: maxSeconds * 1000,
    env: {
      ...{ AWS_ACCESS_KEY_ID: 'accessKeyId', AWS_SECRET_ACCESS_KEY: 'secretAccessKey' },
      ...{ AWS_SESSION_TOKEN: 'sessionToken', AWS_REGION: 'region' },
    },
    targets: (allow) => serversNamed(allow, options.servers()),
    async mint({ id, task, deadlineMs }) {
      const wanted = Math.ceil((deadlineMs - now()) / 1000);
      const session = {
        RoleArn: roleArn,
        RoleSessionName: id,
        DurationSeconds: String(Math.min(Math.max(wanted, minSeconds), maxSeconds)),
        ...(options.policyFile === undefined ? {} : { Policy: readPolicy(options.policyFile) }),
      };
      const { tokenFile, keyFile } = options;
      const isSigned = keyFile !== undefined;
      const action = isSigned ? 'AssumeRole' : 'AssumeRoleWithWebIdentity';
      const answer = isSigned
        ? await call({ Action: action, ...session, SourceIdentity: task }, readKey(keyFile))
        : await call({ Action: action, ...session, WebIdentityToken: readPrivateFile(tokenFile ?? '').trim() }, null);
      return readSession(answer, { action, id, region, name, now: now() });
    },
    async revoke(id) {
      throw new AuthorityError('broker', `a session of AWS STS is not taken back: ${id} ends by itself`);
    },
    async probe(_id, { accessKeyId = '', secretAccessKey = '', sessionToken }) {
      const own = { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) };
      const answer = await call({ Action: 'GetCallerIdentity' }, own);
      if (answer.status === 200) return { refused: false, detail: 'GetCallerIdentity answered' };
      const { code, message } = readError(answer);
      if (['ExpiredToken', 'InvalidClientTokenId', 'AccessDenied'].includes(code))
        return { refused: true, detail: `${code}: ${message}` };
      throw new AuthorityError('broker', `${name} did not say: ${code}: ${message}`);
    },
  };
}

interface Asked {
  readonly action: string;
  readonly id: string;
  readonly region: string;
  readonly name: string;
  readonly now: number;
}

/** @throws AuthorityError broker (refused, or not in form, or a session of another name) */
function readSession(answer: TargetAnswer, { action, id, region, name, now }: Asked): MintedCredential {
  if (answer.status !== 200) {
    const { code, message } = readError(answer);
    throw new AuthorityError(
      'broker',
      `${name} answered ${answer.status} ${code}: ${message}${mendOf(code, answer, now)}`,
    );
  }
  const path = `${action}Response/${action}Result`;
  const { only } = parseXml(answer.text, namespace);
  const secret = {
    accessKeyId: only(`${path}/Credentials/AccessKeyId`),
    secretAccessKey: only(`${path}/Credentials/SecretAccessKey`),
    sessionToken: only(`${path}/Credentials/SessionToken`),
    region,
  };
  const expires = only(`${path}/Credentials/Expiration`);
  const expiresMs = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/.test(expires) ? Date.parse(expires) : Number.NaN;
  if (Number.isNaN(expiresMs)) throw new AuthorityError('broker', `${name}: ${expires} is no time`);
  if (!only(`${path}/AssumedRoleUser/Arn`).endsWith(`/${id}`))
    throw new AuthorityError('broker', `${name} answered with a session of another name`);
  return { id, secret, expiresMs };
}

function readError(answer: TargetAnswer): { readonly code: string; readonly message: string } {
  const { only } = parseXml(answer.text, namespace);
  return { code: only('ErrorResponse/Error/Code'), message: only('ErrorResponse/Error/Message') };
}

/** What to do, where the code of an error says it. */
function mendOf(code: string, { headers }: TargetAnswer, now: number): string {
  const skewSeconds = Math.round((now - Date.parse(headers.get('date') ?? '')) / 1000);
  if (code === 'SignatureDoesNotMatch' || code === 'RequestExpired' || code === 'InvalidIdentityToken')
    return Math.abs(skewSeconds) > 300 ? `; this clock is ${skewSeconds} s off theirs: set it` : '';
  if (code === 'Throttling') return '; they limit the rate: open the task again later';
  if (code === 'ExpiredTokenException') return "; renew the server's own token";
  return '';
}

function readKey(file: string): AwsKey {
  const parsed = key.safeParse(parseStrictJson(readPrivateFile(file)).value);
  if (!parsed.success) throw new AuthorityError('broker', `${file} is not {"accessKeyId": …, "secretAccessKey": …}`);
  const { sessionToken, ...rest } = parsed.data;
  return { ...rest, ...(sessionToken === undefined ? {} : { sessionToken }) };
}

/** Without spaces: only 2048 characters are accepted. */
function readPolicy(file: string): string {
  const text = JSON.stringify(parseStrictJson(readFileSync(file, 'utf8')).value);
  if (text.length > maxPolicyChars)
    throw new AuthorityError('broker', `${file}: a session policy has at most ${maxPolicyChars} characters`);
  return text;
}
