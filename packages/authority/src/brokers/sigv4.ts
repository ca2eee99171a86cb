import { createHash, createHmac } from 'node:crypto';

export interface AwsKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

export interface AwsRequest {
  readonly method: 'GET' | 'POST';
  readonly url: URL;
  /** Lower-case names; `host` is among them. All of them are signed. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly region: string;
  readonly service: string;
  readonly key: AwsKey;
  /** Milliseconds of Unix time. */
  readonly now: number;
}

/**
 * The headers of a request with its AWS Signature Version 4 (AWS IAM User Guide, "Create a signed AWS API request"). For what is asked
 * of STS: one path that needs no escapes, and a query whose names rise.
 */
export function signedHeaders(request: AwsRequest): Readonly<Record<string, string>> {
  const { method, url, body, region, service, key } = request;
  const time = new Date(request.now).toISOString().replace(/[-:]|\.\d{3}/g, '');
  const date = time.slice(0, 8);
  const headers: Readonly<Record<string, string>> = {
    ...request.headers,
    'x-amz-date': time,
    ...(key.sessionToken === undefined ? {} : { 'x-amz-security-token': key.sessionToken }),
  };
  const names = Object.keys(headers).sort();
  const signed = names.join(';');
  const lines = names.map((name) => `${name}:${headers[name]?.trim().replace(/ +/g, ' ')}\n`).join('');
  const canonical = [method, url.pathname, url.search.slice(1), lines, signed, sha256(body)].join('\n');
  const scope = `${date}/${region}/${service}/aws4_request`;
  const toSign = ['AWS4-HMAC-SHA256', time, scope, sha256(canonical)].join('\n');
  const signingKey = [date, region, service, 'aws4_request'].reduce<Uint8Array>(
    (with_, text) => hmac(with_, text),
    Buffer.from(`AWS4${key.secretAccessKey}`),
  );
  const signature = Buffer.from(hmac(signingKey, toSign)).toString('hex');
  const credential = `Credential=${key.accessKeyId}/${scope}`;
  return {
    ...headers,
    authorization: `AWS4-HMAC-SHA256 ${credential}, SignedHeaders=${signed}, Signature=${signature}`,
  };
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function hmac(key: Uint8Array, text: string): Uint8Array {
  return createHmac('sha256', key).update(text).digest();
}
