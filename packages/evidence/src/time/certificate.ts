import { toHex } from '../encoding.ts';
import { EvidenceError } from '../errors.ts';
import { sha256 } from '../platform.ts';
import { booleanOf, context, type Der, Fields, fieldsOf, integerOf, oidOf, readDer, tags } from './der.ts';
import { momentOf } from './moment.ts';

/** What a timestamp needs of an X.509 certificate (RFC 5280). It is never believed for what it says of itself. */
export interface Certificate {
  readonly bytes: Uint8Array;
  /** Hex SHA-256 of the whole certificate: what a `tsa` line names. */
  readonly sha256: string;
  readonly serial: Uint8Array;
  /** The issuer's name, DER. */
  readonly issuer: Uint8Array;
  readonly spki: Uint8Array;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** The subject key identifier, if there is one. */
  readonly keyIdentifier: Uint8Array | undefined;
  /** Contents of the extensions, by their dotted identifier. */
  readonly extensions: ReadonlyMap<string, Extension>;
}

export interface Extension {
  readonly critical: boolean;
  readonly value: Uint8Array;
}

const oids = {
  keyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  extendedKeyUsage: '2.5.29.37',
  timeStamping: '1.3.6.1.5.5.7.3.8',
} as const;

/** digitalSignature and nonRepudiation, the first two bits of a key usage. */
const signingUses = 0xc0;

/** Reads a certificate. @throws EvidenceError timestamp */
export function readCertificate(bytes: Uint8Array): Certificate {
  const outer = fieldsOf(readDer(bytes));
  const fields = fieldsOf(outer.next());
  outer.next(tags.sequence);
  outer.next(tags.bitString);
  outer.end();
  fields.optional(context(0));
  const serial = integerOf(fields.next());
  fields.next(tags.sequence);
  const issuer = fields.next(tags.sequence).bytes;
  const validity = fieldsOf(fields.next());
  const [notBeforeMs, notAfterMs] = [momentOf(validity.next()), momentOf(validity.next())];
  validity.end();
  fields.next(tags.sequence);
  const spki = fields.next(tags.sequence).bytes;
  fields.optional(context(1, 'primitive'));
  fields.optional(context(2, 'primitive'));
  const explicit = fields.optional(context(3));
  const extensions = extensionsOf(explicit && contentAs(readDer(explicit.content), tags.sequence));
  fields.end();
  const identifier = extensions.get(oids.keyIdentifier);
  const keyIdentifier = identifier && contentAs(readDer(identifier.value), tags.octetString);
  const digest = toHex(sha256(bytes));
  return { bytes, sha256: digest, serial, issuer, spki, notBeforeMs, notAfterMs, keyIdentifier, extensions };
}

/** The extensions in the content of a SEQUENCE OF Extension, none twice. @throws EvidenceError timestamp */
export function extensionsOf(content: Uint8Array = new Uint8Array()): ReadonlyMap<string, Extension> {
  const found = new Map<string, Extension>();
  for (const element of new Fields(content).all(tags.sequence)) {
    const fields = fieldsOf(element);
    const oid = oidOf(fields.next());
    const flag = fields.optional(tags.boolean);
    const value = fields.next(tags.octetString).content;
    fields.end();
    if (found.has(oid)) throw bad(`the extension ${oid} twice`);
    found.set(oid, { critical: flag ? booleanOf(flag) : false, value });
  }
  return found;
}

/** RFC 3161 section 2.3: the critical extended key usage, for time-stamping and nothing else. @throws EvidenceError timestamp */
export function needTimeStamping({ extensions }: Certificate): void {
  const extended = extensions.get(oids.extendedKeyUsage);
  if (!extended?.critical) throw bad('the certificate has no critical extended key usage');
  const uses = fieldsOf(readDer(extended.value)).all().map(oidOf);
  if (uses.length !== 1 || uses[0] !== oids.timeStamping) throw bad('the certificate is not for time-stamping alone');
  const usage = extensions.get(oids.keyUsage);
  if (!usage) return;
  const bits = contentAs(readDer(usage.value), tags.bitString)[1] ?? 0;
  if ((bits & signingUses) === 0) throw bad('the certificate is not for signatures');
}

/**
 * Reads a certificate that is to be named by a `tsa` line.
 * @throws EvidenceError timestamp, if it is none or not for time-stamping
 */
export function readTimestampCertificate(bytes: Uint8Array): Certificate {
  const certificate = readCertificate(bytes);
  needTimeStamping(certificate);
  return certificate;
}

function contentAs({ tag, content }: Der, expected: number): Uint8Array {
  if (tag !== expected) throw bad('an extension that is not in form');
  return content;
}

function bad(message: string): EvidenceError {
  return new EvidenceError('timestamp', message);
}
