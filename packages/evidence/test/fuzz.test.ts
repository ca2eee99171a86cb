import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { parseActionRecord, parseEffects } from '../src/action-record.ts';
import { parseActivation } from '../src/activation.ts';
import { parseApproval } from '../src/approval.ts';
import { parseBatchJson, parseCaseJson, parsePolicyManifest } from '../src/case/case-json.ts';
import { openContainer } from '../src/case/container.ts';
import { decodeEnvelope } from '../src/dsse.ts';
import { utf8 } from '../src/encoding.ts';
import { DeedError } from '../src/errors.ts';
import { readPushRecord } from '../src/forge-record.ts';
import { parseStrictJson } from '../src/json.ts';
import { derFromP1363, jwkThumbprint } from '../src/jwk.ts';
import { parseJwt } from '../src/jwt.ts';
import { decodeLeaf } from '../src/log/leaf.ts';
import { openPayload } from '../src/payload.ts';
import { verifyP256 } from '../src/platform.ts';
import { encodeReceipt, parseReceipt } from '../src/receipt.ts';
import { parseSshPublicKey, verifySshsig } from '../src/ssh.ts';
import { parseStatement } from '../src/statement.ts';
import { readTimestampCertificate } from '../src/time/certificate.ts';
import { openTimestamp } from '../src/time/timestamp.ts';
import { verifyLogProof } from '../src/verify/log-proof.ts';
import { verifyReceipt } from '../src/verify/receipt.ts';
import { verify } from '../src/verify/verify.ts';
import { openWord } from '../src/word.ts';
import { makeCase, nowMs, pack, trust } from './support/case-maker.ts';
import { receiptOf } from './support/receipt-maker.ts';
import { TimestampAuthority } from './support/timestamp-authority.ts';

if (process.env.SLOW === '1') vi.setConfig({ testTimeout: 1_800_000 });

const numRuns = process.env.SLOW === '1' ? 50_000 : 300;
const honest = makeCase();
const tsa = new TimestampAuthority();
const receipt = encodeReceipt(receiptOf(honest.story));
const text = new TextDecoder();

/** Real bytes of every format, so that what is fuzzed gets past the first check. */
const seeds: readonly Uint8Array[] = [
  receipt,
  ...[...honest.members].filter(([name]) => !name.startsWith('proofs/')).map(([, bytes]) => bytes),
  ...[...honest.members]
    .filter(([name]) => /^(payloads|events)\/.*[0-9a-f]{64}$/.test(name))
    .map(([, bytes]) => bytes.subarray(16)),
  tsa.certificate,
  tsa.stamp(utf8('stamped'), nowMs),
  ...readdirSync(join(import.meta.dirname, '../../../docs/formats/examples')).map((name) =>
    utf8(
      JSON.stringify(
        JSON.parse(readFileSync(join(import.meta.dirname, '../../../docs/formats/examples', name), 'utf8')),
      ),
    ),
  ),
];

const mutated = fc
  .tuple(
    fc.constantFrom(...seeds),
    fc.array(fc.tuple(fc.nat(), fc.nat(255), fc.nat(3)), { minLength: 1, maxLength: 4 }),
  )
  .map(([seed, changes]) => {
    let bytes = Array.from(seed.subarray(0, 6000));
    for (const [where, by, how] of changes) {
      const at = where % (bytes.length + 1);
      if (how === 0) bytes[at] = by;
      else if (how === 1) bytes = bytes.toSpliced(at, (by % 9) + 1);
      else if (how === 2) bytes = bytes.toSpliced(at, 0, by);
      else bytes = [...bytes.slice(0, at), ...bytes.slice(Math.max(0, at - by)), ...bytes.slice(at)];
    }
    return Uint8Array.from(bytes);
  });
const anyBytes = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  mutated,
  fc.json().map(utf8),
  fc.string({ unit: 'binary' }).map(utf8),
);

const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');
const parsers: Readonly<Record<string, (bytes: Uint8Array) => unknown>> = {
  parseStrictJson: (bytes) => parseStrictJson(bytes, { refuseCaseVariants: true }),
  parseStatement,
  decodeEnvelope,
  parseActionRecord,
  parseEffects,
  parseApproval,
  parseActivation,
  parseCaseJson,
  parseBatchJson,
  parsePolicyManifest,
  parseReceipt,
  decodeLeaf,
  readPushRecord,
  openContainer,
  openPayload: (bytes) => openPayload(bytes, '0'.repeat(64)),
  openTimestamp,
  readTimestampCertificate,
  parseSshPublicKey,
  jwkThumbprint,
  derFromP1363,
  parseJwt: (bytes) => parseJwt(text.decode(bytes), 'wpt+jwt'),
  'openWord es256': (bytes) => openWord('deed-approval-v1', word('es256', bytes)),
  'openWord sshsig': (bytes) => openWord('deed-approval-v1', word('sshsig', bytes)),
};

function word(kind: 'es256' | 'sshsig', bytes: Uint8Array) {
  return { bytes: base64(bytes), signature: { kind, key: base64(bytes.subarray(0, 91)), sig: base64(bytes) } };
}

describe('untrusted bytes make a reader throw coded errors and nothing else', () => {
  for (const [name, parse] of Object.entries(parsers)) {
    it(name, () => {
      fc.assert(
        fc.property(anyBytes, (bytes) => {
          try {
            parse(bytes);
          } catch (error) {
            if (!(error instanceof DeedError)) throw error;
            expect(error.code).toMatch(/^[a-z]+$/);
          }
        }),
        { numRuns },
      );
    });
  }

  it('verifySshsig and verifyP256, which say no instead', () => {
    fc.assert(
      fc.property(anyBytes, anyBytes, (key, sig) => {
        expect(verifySshsig('deed-approval-v1', key, utf8('message'), sig)).toBe(false);
        expect(verifyP256(key, utf8('message'), sig)).toBe(false);
      }),
      { numRuns },
    );
  });

  it('verify, which gives a verdict whatever the members hold', () => {
    const names = [...honest.members.keys()];
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom(...names), anyBytes), { minLength: 1, maxLength: 4 }),
        (changes) => {
          const files = new Map(honest.members);
          for (const [name, bytes] of changes) files.set(name, bytes);
          const { code } = verify(pack(files), { trust, nowMs });
          expect(code).toBeGreaterThan(1);
        },
      ),
      { numRuns: Math.ceil(numRuns / 10) },
    );
  });

  it('verify, on bytes that are no case at all', () => {
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        expect(verify(bytes, { trust, nowMs }).code).toBe(2);
      }),
      { numRuns },
    );
  });

  it('verifyReceipt and verifyLogProof, which give a verdict on anything', () => {
    fc.assert(
      fc.property(anyBytes, anyBytes, (bytes, other) => {
        expect(verifyReceipt(bytes, { trust, nowMs, artifact: other }).code).toBeGreaterThan(1);
        expect(verifyLogProof(bytes, { trust, nowMs, leaf: other, statement: bytes }).code).toBe(2);
        const proof = honest.members.get('proofs/000000000001.tlog-proof') ?? bytes;
        expect(verifyLogProof(proof, { trust, nowMs, leaf: other, statement: bytes }).code).toBe(5);
      }),
      { numRuns: Math.ceil(numRuns / 3) },
    );
  });

  it('verifyReceipt, whatever one of its statements holds', () => {
    const { closed, keys, ...rest } = parseReceipt(receipt);
    fc.assert(
      fc.property(fc.nat(keys.length), anyBytes, (which, payload) => {
        const entries = [closed, ...keys].map((entry, at) =>
          at === which ? { ...entry, envelope: withPayload(entry.envelope, payload) } : entry,
        );
        const [first = closed, ...others] = entries;
        const { code } = verifyReceipt(encodeReceipt({ ...rest, closed: first, keys: others }), { trust, nowMs });
        expect(code).toBeGreaterThan(1);
      }),
      { numRuns: Math.ceil(numRuns / 10) },
    );
  });
});

function withPayload(envelope: Uint8Array, payload: Uint8Array): Uint8Array {
  return utf8(JSON.stringify({ ...JSON.parse(text.decode(envelope)), payload: base64(payload) }));
}
