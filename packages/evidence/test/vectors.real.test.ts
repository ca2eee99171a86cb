import { describe, expect, it } from 'vitest';
import { givenIn, readVector, vectorNames, wronglySaid } from './support/vector.ts';

const vectors = vectorNames().map((name) => ({ name, vector: readVector(name) }));

describe('all vectors', () => {
  it('get the verdict, the code and the checks that they say', () => {
    expect(vectors.length).toBeGreaterThanOrEqual(150);
    expect(vectors.flatMap(({ name, vector }) => wronglySaid(name, vector))).toEqual([]);
  });

  it('hold no private key, in the open or in what is packed into them', () => {
    const leaky = vectors.filter(({ vector }) => {
      const { file, leaf, statement, artifact } = givenIn(vector);
      const inside = [file, leaf, statement, artifact].flatMap((bytes) => openly(bytes));
      return [JSON.stringify(vector), ...inside].some((text) => secret.test(text));
    });
    expect(leaky.map(({ name }) => name)).toEqual([]);
  });

  it('would not hide one: it is found in a member, in an envelope and in a token', () => {
    const pem = '-----BEGIN PRIVATE KEY-----';
    const jwk = '{"kty":"EC","crv":"P-256","d":"AAAA"}';
    for (const text of [pem, jwk]) {
      const envelope = JSON.stringify({ payload: Buffer.from(`some words before it, ${text}`).toString('base64') });
      const token = `e30.${Buffer.from(`some words before it, ${text}`).toString('base64url')}.AAAA`;
      for (const found of [text, envelope, token])
        expect(openly(new TextEncoder().encode(found)).some((part) => secret.test(part))).toBe(true);
    }
  });
});

const secret = /PRIVATE KEY|"d"\s*:|"privateKey"|openssh-key-v1/;

/** The bytes as text, and whatever in them is base64 as text too: envelopes, words, tokens. */
function openly(bytes: Uint8Array | undefined): string[] {
  const text = Buffer.from(bytes ?? []).toString('latin1');
  const inner = text.match(/[A-Za-z0-9+/_-]{40,}={0,2}/g) ?? [];
  return [text, ...inner.map((part) => Buffer.from(part, 'base64').toString('latin1'))];
}
