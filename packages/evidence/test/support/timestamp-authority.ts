import { constants, createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { concat, toHex, utf8 } from '../../src/encoding.ts';
import { randomBytes, sha256 } from '../../src/platform.ts';
import { context, der, fieldsOf, readDer, tags } from '../../src/time/der.ts';

/** An object identifier from its dotted form. */
export function oid(dotted: string): Uint8Array {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const arcs = [first * 40 + second, ...rest].flatMap((arc) => {
    const bytes = [arc & 0x7f];
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128)) bytes.unshift((left & 0x7f) | 0x80);
    return bytes;
  });
  return der(tags.oid, Uint8Array.from(arcs));
}

export const sequence = (...parts: readonly Uint8Array[]) => der(tags.sequence, ...parts);
export const set = (...parts: readonly Uint8Array[]) => der(tags.set, ...parts);
export const octets = (bytes: Uint8Array) => der(tags.octetString, bytes);
export const integer = (...bytes: readonly number[]) => der(tags.integer, Uint8Array.from(bytes));
const flag = (value: boolean) => der(tags.boolean, Uint8Array.of(value ? 0xff : 0));
const none = der(tags.null);

export const names = {
  signedData: '1.2.840.113549.1.7.2',
  tstInfo: '1.2.840.113549.1.9.16.1.4',
  contentType: '1.2.840.113549.1.9.3',
  messageDigest: '1.2.840.113549.1.9.4',
  signingCertificate: '1.2.840.113549.1.9.16.2.12',
  signingCertificateV2: '1.2.840.113549.1.9.16.2.47',
  sha1: '1.3.14.3.2.26',
  sha256: '2.16.840.1.101.3.4.2.1',
  sha384: '2.16.840.1.101.3.4.2.2',
  sha512: '2.16.840.1.101.3.4.2.3',
} as const;

export type Hash = 'sha256' | 'sha384' | 'sha512';
export type Kind = 'p256' | 'p384' | 'rsa' | 'rsa-pss' | 'rsa-1024' | 'p521';

const hashed = (name: string, bytes: Uint8Array) => new Uint8Array(createHash(name).update(bytes).digest());
const ecdsa = { sha256: '1.2.840.10045.4.3.2', sha384: '1.2.840.10045.4.3.3', sha512: '1.2.840.10045.4.3.4' } as const;

/** The time as GeneralizedTime text, in whole seconds. */
export const timeText = (ms: number) =>
  `${new Date(ms)
    .toISOString()
    .replace(/[^0-9]/g, '')
    .slice(0, 14)}Z`;
const generalized = (text: string) => der(tags.generalizedTime, utf8(text));

/** A certificate before it is signed. */
export interface CertificateDraft {
  notBefore: string;
  notAfter: string;
  /** Whole Extension elements. */
  extensions: Uint8Array[];
}

export const extension = (dotted: string, critical: boolean, value: Uint8Array) =>
  sequence(oid(dotted), ...(critical ? [flag(true)] : []), octets(value));
export const extendedUsage = (critical: boolean, ...uses: readonly string[]) =>
  extension('2.5.29.37', critical, sequence(...uses.map(oid)));
export const timeStamping = '1.3.6.1.5.5.7.3.8';
const keyIdentifier = Uint8Array.of(1, 2, 3, 4);

/** What an authority is about to answer. A test bends any of it; each part is made from those before it. */
export interface Draft {
  status: number;
  /** The fields of the TSTInfo, in their order. */
  info: Record<
    'version' | 'policy' | 'imprint' | 'serial' | 'time' | 'accuracy' | 'ordering' | 'nonce' | 'rest',
    Uint8Array
  >;
  contentType: string;
  signedVersion: Uint8Array;
  digest: string;
  /** Identifier of an attribute and its values, in their order. */
  attributes: [string, Uint8Array[]][];
  signatureAlgorithm: Uint8Array;
  sid: { version: number; element: Uint8Array };
  certificates: Uint8Array[];
  signature: Uint8Array;
  signers: number;
  /** Anything behind the answer. */
  trailing: Uint8Array;
}

export interface TokenBend {
  info?(draft: Draft): void;
  attributes?(draft: Draft): void;
  /** All but what the signature covers. */
  signed?(draft: Draft): void;
}

/** A time-stamping authority with a key and a certificate of its own, made at run time. */
export class TimestampAuthority {
  readonly certificate: Uint8Array;
  readonly sha256: string;
  private readonly key: KeyObject;
  private readonly kind: Kind;
  private readonly hash: Hash;
  private readonly issuer: Uint8Array;

  constructor(
    options: { kind?: Kind; hash?: Hash; name?: string; certificate?: (draft: CertificateDraft) => void } = {},
  ) {
    const { kind = 'p256', hash = 'sha256', name = 'TSA' } = options;
    const { privateKey, publicKey } = keyPair(kind);
    this.key = privateKey;
    this.kind = kind;
    this.hash = hash;
    this.issuer = sequence(set(sequence(oid('2.5.4.3'), der(0x0c, utf8(name)))));
    const draft: CertificateDraft = {
      notBefore: '20200101000000Z',
      notAfter: '20400101000000Z',
      extensions: [
        extension('2.5.29.15', true, der(tags.bitString, Uint8Array.of(7, 0x80))),
        extendedUsage(true, timeStamping),
        extension('2.5.29.14', false, octets(keyIdentifier)),
      ],
    };
    options.certificate?.(draft);
    const body = sequence(
      der(context(0), integer(2)),
      integer(0x77),
      this.algorithm(),
      this.issuer,
      sequence(generalized(draft.notBefore), generalized(draft.notAfter)),
      this.issuer,
      new Uint8Array(publicKey.export({ format: 'der', type: 'spki' })),
      ...(draft.extensions.length > 0 ? [der(context(3), sequence(...draft.extensions))] : []),
    );
    const signature = der(tags.bitString, Uint8Array.of(0), this.sign(body));
    this.certificate = sequence(body, this.algorithm(), signature);
    this.sha256 = toHex(sha256(this.certificate));
  }

  /** Answers a TimeStampReq. */
  answer(request: Uint8Array, timeMs: number, bend: TokenBend = {}): Uint8Array {
    const fields = fieldsOf(readDer(request));
    fields.next();
    const imprint = fields.next().bytes;
    return this.respond(imprint, fields.optional(tags.integer)?.bytes ?? new Uint8Array(), timeMs, bend);
  }

  /** A stamp on these bytes, as an answer to nobody's request. */
  stamp(bytes: Uint8Array, timeMs: number, bend: TokenBend = {}): Uint8Array {
    const imprint = sequence(sequence(oid(names.sha256), none), octets(sha256(bytes)));
    return this.respond(imprint, new Uint8Array(), timeMs, bend);
  }

  private respond(imprint: Uint8Array, nonce: Uint8Array, timeMs: number, bend: TokenBend): Uint8Array {
    const draft: Draft = {
      status: 0,
      info: {
        version: integer(1),
        policy: oid('1.3.6.1.4.1.99999.1'),
        imprint,
        serial: integer(1, ...randomBytes(7)),
        time: generalized(timeText(timeMs)),
        accuracy: sequence(integer(1)),
        ordering: flag(true),
        nonce,
        rest: new Uint8Array(),
      },
      contentType: names.tstInfo,
      signedVersion: integer(3),
      digest: names[this.hash],
      attributes: [],
      signatureAlgorithm: this.algorithm(),
      sid: { version: 1, element: sequence(this.issuer, integer(0x77)) },
      certificates: [this.certificate],
      signature: new Uint8Array(),
      signers: 1,
      trailing: new Uint8Array(),
    };
    bend.info?.(draft);
    const content = sequence(...Object.values(draft.info));
    const issuerSerial = sequence(sequence(der(context(4), this.issuer)), integer(0x77));
    draft.attributes = [
      [names.contentType, [oid(draft.contentType)]],
      [names.messageDigest, [octets(hashed(this.hash, content))]],
      [
        names.signingCertificateV2,
        [sequence(sequence(sequence(octets(hashed('sha256', this.certificate)), issuerSerial)))],
      ],
    ];
    bend.attributes?.(draft);
    const attributes = draft.attributes.map(([name, values]) => sequence(oid(name), set(...values)));
    draft.signature = this.sign(set(...attributes));
    bend.signed?.(draft);
    const signer = sequence(
      integer(draft.sid.version),
      draft.sid.element,
      sequence(oid(draft.digest), none),
      der(context(0), ...attributes),
      draft.signatureAlgorithm,
      octets(draft.signature),
    );
    const signedData = sequence(
      draft.signedVersion,
      set(sequence(oid(draft.digest), none)),
      sequence(oid(draft.contentType), der(context(0), octets(content))),
      ...(draft.certificates.length > 0 ? [der(context(0), ...draft.certificates)] : []),
      set(...Array.from({ length: draft.signers }, () => signer)),
    );
    const token = sequence(oid(names.signedData), der(context(0), signedData));
    return concat(sequence(sequence(integer(draft.status)), token), draft.trailing);
  }

  /** The signature algorithm's identifier. */
  algorithm(): Uint8Array {
    if (this.kind === 'rsa-pss') return pssAlgorithm(names[this.hash], 32);
    if (this.kind.startsWith('rsa')) return sequence(oid('1.2.840.113549.1.1.1'), none);
    return sequence(oid(ecdsa[this.hash]));
  }

  private sign(message: Uint8Array): Uint8Array {
    const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 };
    return new Uint8Array(sign(this.hash, message, { key: this.key, ...(this.kind === 'rsa-pss' ? pss : {}) }));
  }
}

export function pssAlgorithm(hash: string, saltBytes: number, maskHash = hash): Uint8Array {
  const hashIdentifier = (name: string) => sequence(oid(name), none);
  return sequence(
    oid('1.2.840.113549.1.1.10'),
    sequence(
      der(context(0), hashIdentifier(hash)),
      der(context(1), sequence(oid('1.2.840.113549.1.1.8'), hashIdentifier(maskHash))),
      der(context(2), integer(saltBytes)),
    ),
  );
}

const rsaPairs = new Map<number, ReturnType<typeof keyPair>>();

/** RSA keys take long to make: one of each size for all tests. */
function keyPair(kind: Kind): { privateKey: KeyObject; publicKey: KeyObject } {
  if (kind === 'p256') return generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  if (kind === 'p384') return generateKeyPairSync('ec', { namedCurve: 'secp384r1' });
  if (kind === 'p521') return generateKeyPairSync('ec', { namedCurve: 'secp521r1' });
  const bits = kind === 'rsa-1024' ? 1024 : 2048;
  const pair = rsaPairs.get(bits) ?? generateKeyPairSync('rsa', { modulusLength: bits });
  rsaPairs.set(bits, pair);
  return pair;
}
