import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { toHex, utf8 } from '../src/encoding.ts';
import { verifyP256, verifyPure } from '../src/platform.ts';
import { ed25519SpkiPrefix, isSoundEd25519 } from '../src/signature-rules.ts';

const message = utf8('message');
const l = 2n ** 252n + 27742317777372353535851937790883648493n;
const n = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

const littleEndian = (value: bigint) => Buffer.from(value.toString(16).padStart(64, '0'), 'hex').reverse();
const numberOf = (bytes: Uint8Array) => BigInt(`0x${toHex(Buffer.from(bytes).reverse())}`);

function ed25519() {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const spki = publicKey.export({ format: 'der', type: 'spki' });
  const seed = privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(-32);
  const scalar = createHash('sha512').update(seed).digest().subarray(0, 32);
  scalar[0] = (scalar[0] ?? 0) & 0xf8;
  scalar[31] = ((scalar[31] ?? 0) & 0x7f) | 0x40;
  return { privateKey, spki, point: spki.subarray(12), scalar: numberOf(scalar) % l };
}

/** Every spelling of the eight points of small order that RFC 8032's field allows or that a lax reader takes. */
const smallOrder = [
  '0100000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000080',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0000000000000000000000000000000000000000000000000000000000000080',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
].map((hex) => Buffer.from(hex, 'hex'));

describe('an Ed25519 signature', () => {
  it('is good in the one form that RFC 8032 makes', () => {
    for (let i = 0; i < 20; i++) {
      const key = ed25519();
      const signature = sign(null, message, key.privateKey);
      expect(verifyPure('ed25519', key.spki, message, signature)).toBe(true);
      expect(verifyPure('ed25519', key.spki, utf8('massage'), signature)).toBe(false);
    }
  });

  it('under a key of small order is refused, although anybody can make one that fits every message', () => {
    const { point, scalar } = ed25519();
    const signature = Buffer.concat([point, littleEndian(scalar)]);
    for (const small of smallOrder) {
      const spki = Buffer.concat([ed25519SpkiPrefix, small]);
      expect(isSoundEd25519(spki, signature), toHex(small)).toBe(false);
      expect(verifyPure('ed25519', spki, message, signature), toHex(small)).toBe(false);
    }
  });

  it('with an R of small order is refused', () => {
    const { spki } = ed25519();
    for (const small of smallOrder) expect(isSoundEd25519(spki, Buffer.concat([small, littleEndian(1n)]))).toBe(false);
  });

  it('has an s below the group order', () => {
    const { privateKey, spki } = ed25519();
    const signature = sign(null, message, privateKey);
    const s = numberOf(signature.subarray(32));
    const again = Buffer.concat([signature.subarray(0, 32), littleEndian(s + l)]);
    expect(isSoundEd25519(spki, again)).toBe(false);
    expect(verifyPure('ed25519', spki, message, again)).toBe(false);
    expect(isSoundEd25519(spki, Buffer.concat([signature.subarray(0, 32), littleEndian(l)]))).toBe(false);
    expect(isSoundEd25519(spki, Buffer.concat([signature.subarray(0, 32), littleEndian(l - 1n)]))).toBe(true);
  });

  it('has 64 bytes and a key of 32, and nothing follows either', () => {
    const { privateKey, spki } = ed25519();
    const signature = sign(null, message, privateKey);
    const longer = (bytes: Uint8Array) => Buffer.concat([bytes, Buffer.of(0)]);
    expect(verifyPure('ed25519', longer(spki), message, signature)).toBe(false);
    expect(verifyPure('ed25519', spki, message, longer(signature))).toBe(false);
    expect(verifyPure('ed25519', spki, message, signature.subarray(0, 63))).toBe(false);
  });
});

describe('a P-256 signature', () => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const spki = publicKey.export({ format: 'der', type: 'spki' });
  const integer = (value: bigint) => {
    let hex = value.toString(16);
    if (hex.length % 2 === 1) hex = `0${hex}`;
    if (Number.parseInt(hex.slice(0, 2), 16) >= 0x80) hex = `00${hex}`;
    return Buffer.concat([Buffer.of(2, hex.length / 2), Buffer.from(hex, 'hex')]);
  };
  const der = (r: bigint, s: bigint) => {
    const body = Buffer.concat([integer(r), integer(s)]);
    return Buffer.concat([Buffer.of(0x30, body.length), body]);
  };
  const pair = () => {
    const raw = sign('sha256', message, { key: privateKey, dsaEncoding: 'ieee-p1363' });
    return { r: BigInt(`0x${toHex(raw.subarray(0, 32))}`), s: BigInt(`0x${toHex(raw.subarray(32))}`) };
  };

  it('is good with either of its two values of s', () => {
    for (let i = 0; i < 20; i++) {
      const { r, s } = pair();
      expect(verifyP256(spki, message, der(r, s))).toBe(true);
      expect(verifyP256(spki, message, der(r, n - s))).toBe(true);
    }
  });

  it('has r and s between 1 and the order', () => {
    const { r, s } = pair();
    for (const [badR, badS] of [
      [0n, s],
      [r, 0n],
      [r + n, s],
      [r, s + n],
      [n, s],
      [r, n],
      [0n, 0n],
    ] as const) {
      expect(verifyP256(spki, message, der(badR, badS)), `${badR} ${badS}`).toBe(false);
    }
  });

  it('is strict DER, and its key the one SPKI with an uncompressed point', () => {
    const { r, s } = pair();
    const good = der(r, s);
    const body = good.subarray(2);
    for (const bad of [
      Buffer.concat([good, Buffer.of(0)]),
      Buffer.concat([Buffer.of(0x30, 0x81, body.length), body]),
      Buffer.concat([Buffer.of(0x30, 0x80), body, Buffer.of(0, 0)]),
      Buffer.concat([Buffer.of(0x31, body.length), body]),
      Buffer.concat([Buffer.of(0x30, body.length + 2), body, Buffer.of(5, 0)]),
      new Uint8Array(),
    ]) {
      expect(verifyP256(spki, message, bad)).toBe(false);
    }
    const compressed = Buffer.concat([
      Buffer.from('3039301306072a8648ce3d020106082a8648ce3d030107032200', 'hex'),
      Buffer.of(2 + ((spki[90] ?? 0) & 1)),
      spki.subarray(27, 59),
    ]);
    expect(verifyP256(compressed, message, good)).toBe(false);
    expect(verifyP256(Buffer.concat([spki, Buffer.of(0)]), message, good)).toBe(false);
    const offCurve = Uint8Array.from(spki);
    offCurve[90] = (offCurve[90] ?? 0) ^ 1;
    expect(verifyP256(offCurve, message, good)).toBe(false);
  });
});
