import { X509Certificate } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { proves } from '../../../../tests/promises.ts';
import { concat, toHex, utf8 } from '../../src/encoding.ts';
import { DeedError } from '../../src/errors.ts';
import { randomBytes, sha256 } from '../../src/platform.ts';
import { readTimestampCertificate } from '../../src/time/certificate.ts';
import { context, der, readDer, tags } from '../../src/time/der.ts';
import { encodeTimestampRequest, timestampNonce } from '../../src/time/request.ts';
import { openTimestamp, verifyTimestamp } from '../../src/time/timestamp.ts';
import {
  type CertificateDraft,
  type Draft,
  extendedUsage,
  extension,
  integer,
  names,
  octets,
  oid,
  pssAlgorithm,
  sequence,
  set,
  TimestampAuthority,
  type TokenBend,
  timeStamping,
  timeText,
} from '../support/timestamp-authority.ts';

const data = utf8('what was there');
const time = Date.parse('2026-11-22T10:00:00.000Z');
const authority = new TimestampAuthority();
const other = new TimestampAuthority({ name: 'other' });

const refusal = (response: Uint8Array): string => {
  try {
    verifyTimestamp(response, data);
    return 'taken';
  } catch (error) {
    if (!(error instanceof DeedError)) throw error;
    return `${error.code}: ${error.message}`;
  }
};

describe('a timestamp', () => {
  for (const [kind, hash] of [
    ['p256', 'sha256'],
    ['p256', 'sha512'],
    ['p384', 'sha384'],
    ['rsa', 'sha256'],
    ['rsa', 'sha512'],
    ['rsa-pss', 'sha256'],
  ] as const) {
    it(`by ${kind} with ${hash} says when these bytes were there, and by whose certificate`, () => {
      const tsa = new TimestampAuthority({ kind, hash });
      const stamp = verifyTimestamp(tsa.stamp(data, time), data);
      expect(stamp).toMatchObject({
        timeMs: time,
        accuracyMs: 1000,
        certificate: tsa.sha256,
        checked: true,
        nonce: null,
      });
      expect(new X509Certificate(tsa.certificate).raw).toEqual(Buffer.from(tsa.certificate));
    });
  }

  it('answers a request with its nonce', () => {
    const nonce = timestampNonce(randomBytes(16));
    const stamp = openTimestamp(authority.answer(encodeTimestampRequest(sha256(data), nonce), time));
    expect(stamp.nonce).toEqual(nonce);
    expect(toHex(stamp.imprint)).toBe(toHex(sha256(data)));
    for (const first of [0, 0xff]) expect(timestampNonce(new Uint8Array(16).fill(first))[0]).toBeOneOf([0x40, 0x7f]);
  });

  it('may name its certificate by SHA-1 and by SHA-256, and its signer by the key identifier', () => {
    const v1: TokenBend = {
      attributes(draft) {
        const digest = sequence(sequence(sequence(octets(sha1(authority.certificate)))));
        draft.attributes.push([names.signingCertificate, [digest]]);
      },
    };
    expect(refusal(authority.stamp(data, time, v1))).toBe('taken');
    const onlyV1: TokenBend = {
      attributes(draft) {
        v1.attributes?.(draft);
        draft.attributes.splice(2, 1);
      },
    };
    expect(refusal(authority.stamp(data, time, onlyV1))).toBe('taken');
    const byKey: TokenBend = {
      signed(draft) {
        draft.sid = { version: 3, element: der(context(0, 'primitive'), Uint8Array.of(1, 2, 3, 4)) };
      },
    };
    expect(refusal(authority.stamp(data, time, byKey))).toBe('taken');
  });

  it('is by the certificate that it names, whatever others came along and wherever they stand', () => {
    proves('timestamps');
    const injected: TokenBend = {
      signed(draft) {
        draft.certificates = [other.certificate, sequence(), ...draft.certificates, authority.certificate];
      },
    };
    expect(openTimestamp(authority.stamp(data, time, injected)).certificate).toBe(authority.sha256);
  });

  it('keeps parts of a second, rounded up, and adds up its accuracy', () => {
    const fine: TokenBend = {
      info(draft) {
        draft.info.time = der(tags.generalizedTime, utf8('20261122100000.1234Z'));
        const part = (number: number, ...bytes: number[]) => der(context(number, 'primitive'), Uint8Array.from(bytes));
        draft.info.accuracy = sequence(part(0, 2), part(1, 1));
      },
    };
    expect(openTimestamp(authority.stamp(data, time, fine))).toMatchObject({ timeMs: time + 124, accuracyMs: 3 });
  });
});

const info = (change: TokenBend['info']): TokenBend => ({ ...(change ? { info: change } : {}) });
const attributes = (change: TokenBend['attributes']): TokenBend => ({ ...(change ? { attributes: change } : {}) });
const signed = (change: TokenBend['signed']): TokenBend => ({ ...(change ? { signed: change } : {}) });
const put = <Name extends keyof Draft>(name: Name, value: Draft[Name]) =>
  signed((draft) => {
    draft[name] = value;
  });
const setInfo = (name: 'version' | 'imprint' | 'time' | 'rest', value: Uint8Array) =>
  info((draft) => {
    draft.info[name] = value;
  });
const setTime = (text: string) => setInfo('time', der(tags.generalizedTime, utf8(text)));
const setAttribute = (name: string, ...values: Uint8Array[]) =>
  attributes((draft) => {
    draft.attributes = draft.attributes.map(([known, old]) => [known, known === name ? values : old]);
  });
const without = (name: string) =>
  attributes((draft) => {
    draft.attributes = draft.attributes.filter(([known]) => known !== name);
  });
const essOf = (digest: Uint8Array, ...more: Uint8Array[]) => sequence(sequence(sequence(octets(digest), ...more)));
const imprintBy = (hash: string, digest: Uint8Array) => sequence(sequence(oid(hash)), octets(digest));
const critical = der(context(1), extension('1.2.3.4', true, Uint8Array.of(5, 0)));
const stranger = sequence(set(sequence(oid('2.5.4.3'), der(0x0c, utf8('nobody')))));

const refused: Readonly<Record<string, readonly [TokenBend, RegExp]>> = {
  'was not granted': [put('status', 2), /status 2/],
  'was granted with changes': [put('status', 1), /status 1/],
  'has something behind it': [put('trailing', Uint8Array.of(0)), /after the end/],
  'holds other content than a TSTInfo': [
    info((draft) => {
      draft.contentType = '1.2.840.113549.1.7.1';
    }),
    /not a TSTInfo/,
  ],
  'is signed data of version 1': [put('signedVersion', integer(1)), /another version than 3/],
  'has two signers': [put('signers', 2), /2 signers/],
  'has no signer': [put('signers', 0), /0 signers/],
  'stamps with SHA-512': [setInfo('imprint', imprintBy(names.sha512, new Uint8Array(64))), /not SHA-256/],
  'stamps with SHA-1': [setInfo('imprint', imprintBy(names.sha1, new Uint8Array(20))), /is not accepted/],
  'stamps other bytes': [setInfo('imprint', imprintBy(names.sha256, sha256(utf8('else')))), /other bytes/],
  'has a TSTInfo of version 2': [setInfo('version', integer(2)), /version than 1/],
  'has a critical extension': [setInfo('rest', critical), /critical extension/],
  'has a field that nobody knows': [setInfo('rest', octets(data)), /does not belong/],
  'has a local time': [setTime('20261122100000+0100'), /not UTC/],
  'has a time with zeros at its end': [setTime('20261122100000.10Z'), /not UTC/],
  'has a time that does not exist': [setTime('20261131100000Z'), /does not exist/],
  'is older than its certificate': [setTime('20191231235959Z'), /outside the validity/],
  'is newer than its certificate': [setTime('20400101000001Z'), /outside the validity/],
  'has no content-type': [without(names.contentType), /1.9.3 is absent/],
  'has another content-type': [setAttribute(names.contentType, oid(names.signedData)), /content-type/],
  'has no message-digest': [without(names.messageDigest), /1.9.4 is absent/],
  'has another message-digest': [setAttribute(names.messageDigest, octets(sha256(data))), /message-digest/],
  'has two message-digests': [
    attributes((draft) => draft.attributes.push(...draft.attributes.slice(1, 2))),
    /1.9.4 twice/,
  ],
  'has an attribute with two values': [
    setAttribute(names.contentType, oid(names.tstInfo), oid(names.tstInfo)),
    /2 values/,
  ],
  'does not say its certificate': [without(names.signingCertificateV2), /no signing-certificate/],
  'says another certificate': [
    setAttribute(names.signingCertificateV2, essOf(sha256(other.certificate))),
    /did not come/,
  ],
  'says another certificate by SHA-1 than by SHA-256': [
    attributes((draft) => draft.attributes.push([names.signingCertificate, [essOf(sha1(other.certificate))]])),
    /did not come/,
  ],
  'says another certificate, which came along': [
    {
      ...setAttribute(names.signingCertificateV2, essOf(sha256(other.certificate))),
      ...signed((draft) => draft.certificates.push(other.certificate)),
    },
    /another issuer|another certificate/,
  ],
  'says its certificate with another serial number': [
    setAttribute(
      names.signingCertificateV2,
      essOf(sha256(authority.certificate), sequence(sequence(der(context(4), stranger)), integer(1))),
    ),
    /another issuer or serial/,
  ],
  'came without its certificate': [put('certificates', []), /did not come/],
  'names another signer': [
    put('sid', { version: 1, element: sequence(stranger, integer(0x77)) }),
    /another certificate/,
  ],
  'names another key': [
    signed((draft) => {
      draft.sid = { version: 3, element: der(context(0, 'primitive'), Uint8Array.of(9)) };
    }),
    /another key/,
  ],
  'has a signer of an unknown version': [put('sid', { version: 2, element: sequence() }), /unknown version/],
  'has a signature of something else': [
    signed((draft) => void draft.signature.set([(draft.signature.at(-1) ?? 0) ^ 1], draft.signature.length - 1)),
    /does not verify/,
  ],
  'names another hash for the signature than for the digest': [
    put('signatureAlgorithm', sequence(oid('1.2.840.10045.4.3.4'))),
    /different hashes/,
  ],
  'is signed with SHA-1': [put('signatureAlgorithm', sequence(oid('1.2.840.10045.4.1'))), /is not accepted/],
  'digests with SHA-1': [put('digest', names.sha1), /is not accepted/],
};

describe('a timestamp is refused when it', () => {
  for (const [sentence, [bend, says]] of Object.entries(refused)) {
    it(sentence, () => {
      expect(refusal(authority.stamp(data, time, bend))).toMatch(says);
      expect(refusal(authority.stamp(data, time, bend))).toMatch(/^timestamp: /);
    });
  }

  it('is too large', () => {
    expect(refusal(new Uint8Array(64 * 1024 + 1))).toMatch(/^limit/);
  });

  it('is by RSA-PSS that names two hashes, or no parameters', () => {
    const tsa = new TimestampAuthority({ kind: 'rsa-pss' });
    const named = (algorithm: Uint8Array) => refusal(tsa.stamp(data, time, put('signatureAlgorithm', algorithm)));
    expect(named(pssAlgorithm(names.sha256, 32, names.sha512))).toMatch(/different hashes/);
    expect(named(pssAlgorithm(names.sha256, 20))).toMatch(/does not verify/);
    expect(named(sequence(oid('1.2.840.113549.1.1.10')))).toMatch(/without parameters/);
  });

  it('is by a key that is too weak or of a curve nobody asked for', () => {
    for (const kind of ['rsa-1024', 'p521'] as const)
      expect(refusal(new TimestampAuthority({ kind }).stamp(data, time))).toMatch(/does not verify/);
  });

  const certificates: Readonly<Record<string, readonly [(draft: CertificateDraft) => void, RegExp]>> = {
    'no extended key usage': [(draft) => void draft.extensions.splice(1, 1), /no critical extended/],
    'an extended key usage that is not critical': [
      (draft) => {
        draft.extensions[1] = extendedUsage(false, timeStamping);
      },
      /no critical extended/,
    ],
    'other uses too': [
      (draft) => {
        draft.extensions[1] = extendedUsage(true, timeStamping, '1.3.6.1.5.5.7.3.3');
      },
      /alone/,
    ],
    'another use': [
      (draft) => {
        draft.extensions[1] = extendedUsage(true, '1.3.6.1.5.5.7.3.3');
      },
      /alone/,
    ],
    'a key usage that allows no signatures': [
      (draft) => {
        draft.extensions[0] = extension('2.5.29.15', true, der(tags.bitString, Uint8Array.of(1, 0x06)));
      },
      /not for signatures/,
    ],
    'an extension twice': [(draft) => void draft.extensions.push(extendedUsage(true, timeStamping)), /twice/],
    'no extensions': [(draft) => void draft.extensions.splice(0), /no critical extended/],
  };
  for (const [sentence, [certificate, says]] of Object.entries(certificates)) {
    it(`is by a certificate with ${sentence}`, () => {
      const tsa = new TimestampAuthority({ certificate });
      expect(refusal(tsa.stamp(data, time))).toMatch(says);
      expect(() => readTimestampCertificate(tsa.certificate)).toThrow(says);
    });
  }

  it('has a length that is indefinite or not in its shortest form', () => {
    for (const hex of [
      '3080020101',
      '3081030201',
      '30820003020101',
      '3003020101ff',
      '30',
      '',
      '1f8101',
      '308400000000',
    ])
      expect(() => readDer(Buffer.from(hex, 'hex')), hex).toThrow(DeedError);
  });

  it('is changed in any byte that matters, and never breaks the reader', () => {
    const response = authority.stamp(data, time);
    const honest = verifyTimestamp(response, data);
    fc.assert(
      fc.property(fc.nat(response.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const bent = response.slice();
        bent[at] = (bent[at] ?? 0) ^ flip;
        const said = refusal(bent);
        // Some bytes are hints (digest algorithms of readers); none of them changes what it says.
        if (said === 'taken') expect(verifyTimestamp(bent, data)).toEqual(honest);
      }),
      { numRuns: 400 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (noise) => {
        expect(refusal(concat(response.subarray(0, noise.length), noise))).not.toBe('taken');
      }),
      { numRuns: 200 },
    );
  });
});

function sha1(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(Buffer.from(new X509Certificate(bytes).fingerprint.replaceAll(':', ''), 'hex'));
}

it('timeText writes whole seconds', () => expect(timeText(time)).toBe('20261122100000Z'));
