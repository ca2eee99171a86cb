import { createPublicKey, verify } from 'node:crypto';
import { httpbis } from 'http-message-signatures';
import { expect, it } from 'vitest';
import { httpSignature } from '../../src/callbacks/http-signature.ts';
import { newP256, spkiOf } from '../../src/index.ts';

const key = newP256();
const signing = { key, spki: spkiOf(key) };
const url = 'https://desk.example/hook?a=b';
const body = '{"specversion":"1.0","id":"é"}';
const signed = {
  'content-type': 'application/cloudevents+json; charset=utf-8',
  'webhook-id': 'a'.repeat(64),
  'webhook-timestamp': '1700000000',
};
const headers: Readonly<Record<string, string>> = {
  ...signed,
  ...httpSignature({ url, headers: signed, body }, signing, Date.now()),
};

/** Whether the library of others says that a message is signed by the key that it names. */
const holds = (message: { readonly url: string; readonly headers: Readonly<Record<string, string>> }) =>
  httpbis
    .verifyMessage(
      {
        all: true,
        requiredFields: ['@method', '@target-uri', 'content-digest', 'webhook-id'],
        maxAge: 300,
        keyLookup: async ({ keyid }) => ({
          id: String(keyid),
          algs: ['ecdsa-p256-sha256'],
          verify: async (data, signature) => {
            const by = { key: createPublicKey(key), dsaEncoding: 'ieee-p1363' as const };
            return verify('sha256', data, by, signature);
          },
        }),
      },
      { method: 'POST', ...message },
    )
    .catch(() => false);

it('a callback is signed so that a library of others verifies it', async () => {
  expect(await holds({ url, headers })).toBe(true);
  expect(headers['content-digest']).toMatch(/^sha-256=:[A-Za-z0-9+/]{43}=:$/);
});

it.each([
  ['another address', { url: 'https://other.example/hook?a=b' }],
  ['another id', { headers: { ...headers, 'webhook-id': 'b'.repeat(64) } }],
  ['the digest of another body', { headers: { ...headers, 'content-digest': `sha-256=:${'A'.repeat(43)}=:` } }],
  ['another signature', { headers: { ...headers, signature: `deed=:${Buffer.alloc(64).toString('base64')}:` } }],
])('with %s it is not', async (_, change) => {
  expect(await holds({ url, headers, ...change })).toBe(false);
});
