import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { ed25519 as curve } from '@noble/curves/ed25519.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concat, equalBytes, fromHex, toHex, utf8 } from '../src/encoding.ts';
import { primitives as browser } from '../src/platform/browser.ts';
import { primitives as node } from '../src/platform/node.ts';
import { signaturesOf } from '../src/platform/signatures.ts';
import { ed25519Spki } from '../src/platform.ts';
import { newNoteSigner, newSigner } from './support/actors.ts';

const codecs = [
  ['toHex', 'fromHex'],
  ['toBase64', 'fromBase64'],
  ['toBase64Url', 'fromBase64Url'],
] as const;
const onNode = signaturesOf(node);
const inBrowsers = signaturesOf(browser);

const message = utf8('the very same answer');
const p256 = newSigner();
const ed25519 = newNoteSigner('log', 1);
const mlDsa = newNoteSigner('log', 6);

/** Asks both, which must agree, and returns the answer. */
function p256Holds(spki: Uint8Array, signature: Uint8Array, over = message): boolean {
  const answer = onNode.verifyP256(spki, over, signature);
  expect(inBrowsers.verifyP256(spki, over, signature), `P-256 ${toHex(spki)} ${toHex(signature)}`).toBe(answer);
  return answer;
}

function pureHolds(kind: 'ed25519' | 'ml-dsa-44', spki: Uint8Array, signature: Uint8Array, over = message): boolean {
  const answer = onNode.verifyPure(kind, spki, over, signature);
  const label = `${kind} ${toHex(spki.subarray(0, 44))} ${toHex(signature.subarray(0, 64))}`;
  expect(inBrowsers.verifyPure(kind, spki, over, signature), label).toBe(answer);
  return answer;
}

const n256 = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const hex64 = (value: bigint) => value.toString(16).padStart(64, '0');

function integer(value: bigint): Uint8Array {
  const digits = value.toString(16);
  const even = digits.length % 2 === 0 ? digits : `0${digits}`;
  const bytes = fromHex(even >= '80' && Number.parseInt(even.slice(0, 2), 16) >= 0x80 ? `00${even}` : even);
  return concat(Uint8Array.of(2, bytes.length), bytes);
}

function der(r: bigint, s: bigint): Uint8Array {
  const body = concat(integer(r), integer(s));
  return concat(Uint8Array.of(0x30, body.length), body);
}

function numbers(signature: Uint8Array): { readonly r: bigint; readonly s: bigint } {
  const rEnd = 4 + (signature[3] ?? 0);
  const read = (bytes: Uint8Array) => BigInt(`0x${toHex(bytes)}`);
  return { r: read(signature.subarray(4, rEnd)), s: read(signature.subarray(rEnd + 2)) };
}

function spkiOf(key: KeyObject): Uint8Array {
  return new Uint8Array(key.export({ format: 'der', type: 'spki' }));
}

/** Bytes of the same length with one bit turned. */
function turned(bytes: Uint8Array, bit: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  const at = Math.floor(bit / 8) % copy.length;
  copy[at] = (copy[at] ?? 0) ^ (1 << (bit % 8));
  return copy;
}

describe('the platforms of Node and of browsers agree', () => {
  it('on hashes and encodings of any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.uint8Array({ maxLength: 100 }), (a, b) => {
        expect(equalBytes(browser.sha256(a, b), node.sha256(a, b))).toBe(true);
        expect(equalBytes(browser.sha512(a), node.sha512(a))).toBe(true);
        expect(equalBytes(browser.hmacSha256(b, a, b), node.hmacSha256(b, a, b))).toBe(true);
        for (const [to, from] of codecs) {
          expect(browser[to](a)).toBe(node[to](a));
          expect(equalBytes(browser[from](node[to](a)) ?? new Uint8Array(1), a)).toBe(true);
        }
      }),
    );
    expect(browser.randomBytes(16)).toHaveLength(16);
  });

  it('on which text is the one spelling of some bytes', () => {
    const text = fc.oneof(fc.string(), fc.base64String(), fc.stringMatching(/^[A-D=+/_é\n-]{0,9}$/));
    for (const [to, from] of codecs.slice(1)) {
      const strict = (platform: typeof browser, spelled: string) => {
        const bytes = platform[from](spelled);
        return bytes !== undefined && platform[to](bytes) === spelled ? toHex(bytes) : null;
      };
      fc.assert(
        fc.property(text, (spelled) => strict(browser, spelled) === strict(node, spelled)),
        { numRuns: 500 },
      );
      for (const wrong of ['=', '==', 'A', 'A===', '====', 'AB==', 'AA=', 'A=AA', 'AA==AA==', 'AAA\u0100'])
        expect([wrong, strict(browser, wrong), strict(node, wrong)]).toEqual([wrong, null, null]);
    }
  });

  it('on P-256 signatures that hold, with s and with n - s', () => {
    for (let i = 0; i < 5; i++) {
      const over = utf8(`message ${i}`);
      const signature = p256.sign(over);
      const { r, s } = numbers(signature);
      expect(p256Holds(p256.spki, signature, over)).toBe(true);
      expect(p256Holds(p256.spki, der(r, n256 - s), over)).toBe(true);
      expect(p256Holds(p256.spki, signature)).toBe(false);
    }
  });

  it('on P-256 signatures and keys that are wrong by a little', () => {
    const signature = p256.sign(message);
    const { r, s } = numbers(signature);
    const badSignatures = [
      der(0n, s),
      der(r, 0n),
      der(r + n256, s),
      der(r, s + n256),
      der(n256, s),
      der(r, n256),
      der(s, r),
      concat(signature, Uint8Array.of(0)),
      signature.subarray(0, -1),
      new Uint8Array(),
      fromHex(hex64(r) + hex64(s)),
      concat(Uint8Array.of(0x30, 0x81, signature.length - 2), signature.subarray(2)),
      concat(Uint8Array.of(0x30, signature.length - 1, 2, (signature[3] ?? 0) + 1, 0), signature.subarray(4)),
    ];
    for (const bad of badSignatures) expect(p256Holds(p256.spki, bad)).toBe(false);
    const x = p256.spki.subarray(27, 59);
    const compressed = concat(Uint8Array.of(2 + ((p256.spki[90] ?? 0) & 1)), x);
    const badKeys = [
      turned(p256.spki, 27 * 8),
      turned(p256.spki, 90 * 8),
      concat(p256.spki.subarray(0, 27), new Uint8Array(64)),
      concat(p256.spki.subarray(0, 27), new Uint8Array(64).fill(0xff)),
      concat(fromHex('3039301306072a8648ce3d020106082a8648ce3d030107032200'), compressed),
      concat(p256.spki, Uint8Array.of(0)),
      new Uint8Array(91),
      new Uint8Array(),
      ed25519.spki,
      mlDsa.spki,
      spkiOf(generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey),
      spkiOf(generateKeyPairSync('ec', { namedCurve: 'secp384r1' }).publicKey),
      spkiOf(generateKeyPairSync('x25519').publicKey),
      newSigner().spki,
    ];
    for (const bad of badKeys) expect(p256Holds(bad, signature)).toBe(false);
    const bits = fc.nat({ max: signature.length * 8 - 1 });
    fc.assert(
      fc.property(bits, (bit) => p256Holds(p256.spki, turned(signature, bit)) === false),
      { numRuns: 40 },
    );
  });

  it('on Ed25519 signatures, and on those that are wrong by a little', () => {
    const signature = ed25519.sign(message);
    expect(pureHolds('ed25519', ed25519.spki, signature)).toBe(true);
    const order = 2n ** 252n + 27742317777372353535851937790883648493n;
    const s = BigInt(`0x${toHex(signature.subarray(32).toReversed())}`);
    const withS = (value: bigint) => concat(signature.subarray(0, 32), fromHex(hex64(value)).toReversed());
    const bad = [
      withS(s + order),
      withS(0n),
      withS(order),
      signature.subarray(0, 63),
      concat(signature, Uint8Array.of(0)),
    ];
    for (const wrong of bad) expect(pureHolds('ed25519', ed25519.spki, wrong)).toBe(false);
    for (const spki of [p256.spki, mlDsa.spki, new Uint8Array(44), spkiOf(generateKeyPairSync('ed448').publicKey)])
      expect(pureHolds('ed25519', spki, signature)).toBe(false);
    expect(pureHolds('ed25519', spkiOf(generateKeyPairSync('x25519').publicKey), signature)).toBe(false);
    fc.assert(
      fc.property(fc.nat({ max: 511 }), (bit) => pureHolds('ed25519', ed25519.spki, turned(signature, bit)) === false),
      { numRuns: 20 },
    );
  });

  it('on Ed25519 keys of small order, keys in a second spelling, and R of small order: none holds', () => {
    const one = `01${'00'.repeat(31)}`;
    const smallOrder = [
      '00'.repeat(32),
      one,
      `ec${'ff'.repeat(30)}7f`,
      '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
      'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
    ];
    const secondSpellings = [
      `ed${'ff'.repeat(30)}7f`,
      `ee${'ff'.repeat(30)}7f`,
      'ff'.repeat(32),
      `f0${'ff'.repeat(30)}7f`,
    ];
    const signed = smallOrder.map((y) => `${y.slice(0, 62)}${(Number.parseInt(y.slice(62), 16) | 0x80).toString(16)}`);
    for (const key of [...smallOrder, ...signed, ...secondSpellings]) {
      // With A the neutral point, R and s of nothing satisfy the equation for every message.
      for (const r of [...smallOrder, one]) {
        const forged = concat(fromHex(r), new Uint8Array(32));
        expect(pureHolds('ed25519', ed25519Spki(fromHex(key)), forged)).toBe(false);
        expect(pureHolds('ed25519', ed25519.spki, forged)).toBe(false);
      }
    }
  });

  it('on an Ed25519 signature whose R is of small order: it does not hold, though the equation does', () => {
    const { Point } = curve;
    const secret = 98765432109876543210n;
    const key = Point.BASE.multiply(secret).toBytes();
    const r = Point.ZERO.toBytes();
    const k = BigInt(`0x${toHex(node.sha512(concat(r, key, message)).toReversed())}`);
    const signature = concat(r, fromHex(hex64(Point.Fn.create(k * secret))).toReversed());
    expect(curve.verify(signature, message, key)).toBe(true);
    expect(pureHolds('ed25519', ed25519Spki(key), signature)).toBe(false);
  });

  it('on an Ed25519 signature that holds only when multiplied by the cofactor: it does not hold', () => {
    const { Point } = curve;
    const torsion = Point.fromHex('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05');
    const secret = 12345678901234567890n;
    const key = Point.BASE.multiply(secret).add(torsion).toBytes(); // of mixed order
    const seen = new Set<boolean>();
    for (let nonce = 1n; nonce <= 24n; nonce++) {
      const r = Point.BASE.multiply(nonce).toBytes();
      const k = BigInt(`0x${toHex(node.sha512(concat(r, key, message)).toReversed())}`);
      const s = Point.Fn.create(nonce + k * secret);
      const signature = concat(r, fromHex(hex64(s)).toReversed());
      expect(curve.verify(signature, message, key, { zip215: true })).toBe(true);
      seen.add(pureHolds('ed25519', ed25519Spki(key), signature));
    }
    expect([...seen].sort()).toEqual([false, true]); // true where k is a multiple of 8: then it holds as it is
  });

  it('on ML-DSA-44 signatures, and on those that are wrong by a little', () => {
    const signature = mlDsa.sign(message);
    expect(pureHolds('ml-dsa-44', mlDsa.spki, signature)).toBe(true);
    expect(pureHolds('ml-dsa-44', mlDsa.spki, signature, utf8('another'))).toBe(false);
    const bad = [
      signature.subarray(0, -1),
      concat(signature, Uint8Array.of(0)),
      new Uint8Array(2420),
      turned(signature, 2419 * 8),
    ];
    for (const wrong of bad) expect(pureHolds('ml-dsa-44', mlDsa.spki, wrong)).toBe(false);
    expect(pureHolds('ml-dsa-44', mlDsa.spki, concat(signature.subarray(0, 32), new Uint8Array(2388).fill(0xff)))).toBe(
      false,
    );
    const other = generateKeyPairSync('ml-dsa-65' as 'ed25519');
    const otherSpki = spkiOf(other.publicKey);
    expect(pureHolds('ml-dsa-44', otherSpki, sign(null, message, other.privateKey))).toBe(false);
    expect(pureHolds('ml-dsa-44', ed25519.spki, signature)).toBe(false);
    const hints = fc.integer({ min: (2420 - 84) * 8, max: 2420 * 8 - 1 });
    const anywhere = fc.nat({ max: 2420 * 8 - 1 });
    fc.assert(
      fc.property(fc.oneof(hints, anywhere), (bit) => !pureHolds('ml-dsa-44', mlDsa.spki, turned(signature, bit))),
      { numRuns: 30 },
    );
  });
});
