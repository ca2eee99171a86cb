import { concat, equalBytes } from '../encoding.ts';
import { EvidenceError } from '../errors.ts';
import { type HashName, hash, verifySignature } from '../platform.ts';
import { hashOf, signatureOf } from './algorithms.ts';
import { type Certificate, needTimeStamping, readCertificate } from './certificate.ts';
import { context, type Der, type Fields, fieldsOf, integerOf, oidOf, readDer, smallIntegerOf, tags } from './der.ts';

const oids = {
  signedData: '1.2.840.113549.1.7.2',
  tstInfo: '1.2.840.113549.1.9.16.1.4',
  contentType: '1.2.840.113549.1.9.3',
  messageDigest: '1.2.840.113549.1.9.4',
  signingCertificate: '1.2.840.113549.1.9.16.2.12',
  signingCertificateV2: '1.2.840.113549.1.9.16.2.47',
} as const;

/** What a token says once its own form and attributes hold. */
export interface SignedInfo {
  /** The TSTInfo, DER. */
  readonly content: Uint8Array;
  /** The one certificate that the signature was checked with. */
  readonly certificate: Certificate;
  /** False where this platform cannot check a signature of this kind: it says nothing then. */
  readonly checked: boolean;
}

/**
 * Opens a time-stamp token (CMS SignedData, RFC 5652, as RFC 3161 and RFC 5816 narrow it): form, signed attributes, the
 * certificate they name, and the signature by it. Other certificates that came along are not looked at.
 * @throws EvidenceError timestamp
 */
export function openSignedData(token: Der): SignedInfo {
  const outer = fieldsOf(token);
  if (oidOf(outer.next()) !== oids.signedData) throw bad('the token is not signed data');
  const fields = fieldsOf(readDer(outer.next(context(0)).content));
  outer.end();
  if (smallIntegerOf(fields.next()) !== 3) throw bad('signed data of another version than 3');
  fields.next(tags.set); // digest algorithms: a hint for streaming readers
  const content = contentOf(fieldsOf(fields.next()));
  const came = fields.optional(context(0));
  fields.optional(context(1));
  const signers = fieldsOf(fields.next(tags.set), tags.set).all();
  fields.end();
  const [signer, second] = signers;
  if (!signer || second) throw bad(`${signers.length} signers instead of one`);
  const certificates = came ? fieldsOf(came, context(0)).all() : [];
  return { content, ...checkSigner(fieldsOf(signer), content, certificates) };
}

function contentOf(fields: Fields): Uint8Array {
  if (oidOf(fields.next()) !== oids.tstInfo) throw bad('the content is not a TSTInfo');
  const octets = readDer(fields.next(context(0)).content);
  fields.end();
  if (octets.tag !== tags.octetString) throw bad('the content is not an octet string');
  return octets.content;
}

function checkSigner(fields: Fields, content: Uint8Array, came: readonly Der[]): Omit<SignedInfo, 'content'> {
  const version = smallIntegerOf(fields.next());
  const sid = fields.next();
  const digest = hashOf(fields.next());
  const signed = fields.next(context(0));
  const algorithm = signatureOf(fields.next(), digest);
  const signature = fields.next(tags.octetString).content;
  fields.optional(context(1));
  fields.end();
  const attributes = readAttributes(signed);
  if (oidOf(attributeOf(attributes, oids.contentType)) !== oids.tstInfo)
    throw bad('content-type is not that of a TSTInfo');
  const stated = attributeOf(attributes, oids.messageDigest);
  if (stated.tag !== tags.octetString || !equalBytes(stated.content, hash(digest, content)))
    throw bad('message-digest is not that of the content');
  const certificate = signerAmong(came, attributes);
  checkIdentifier(version, sid, certificate);
  needTimeStamping(certificate);
  // Signed is the SET, not the field with its implicit tag (RFC 5652 section 5.4).
  const message = concat(Uint8Array.of(tags.set), signed.bytes.subarray(1));
  const holds = verifySignature(algorithm, certificate.spki, message, signature);
  if (holds === false) throw bad('the signature does not verify');
  return { certificate, checked: holds === true };
}

/** Each attribute with its one value. */
function readAttributes(signed: Der): ReadonlyMap<string, Der> {
  const found = new Map<string, Der>();
  for (const element of fieldsOf(signed, context(0)).all()) {
    const fields = fieldsOf(element);
    const oid = oidOf(fields.next());
    const values = fieldsOf(fields.next(tags.set), tags.set).all();
    fields.end();
    const [value, second] = values;
    if (!value || second) throw bad(`the attribute ${oid} has ${values.length} values`);
    if (found.has(oid)) throw bad(`the attribute ${oid} twice`);
    found.set(oid, value);
  }
  return found;
}

function attributeOf(attributes: ReadonlyMap<string, Der>, oid: string): Der {
  const value = attributes.get(oid);
  if (!value) throw bad(`the signed attribute ${oid} is absent`);
  return value;
}

/** The certificate that signing-certificate names (RFC 2634, RFC 5816), among those that came along. */
function signerAmong(came: readonly Der[], attributes: ReadonlyMap<string, Der>): Certificate {
  const named = [
    ...namedBy(attributes.get(oids.signingCertificate), () => 'sha1'),
    ...namedBy(attributes.get(oids.signingCertificateV2), (fields) => {
      const algorithm = fields.optional(tags.sequence);
      return algorithm ? hashOf(algorithm) : 'sha256';
    }),
  ];
  if (named.length === 0) throw bad('no signing-certificate among the signed attributes');
  const found = came.find(({ bytes }) => named.every(({ name, digest }) => equalBytes(hash(name, bytes), digest)));
  if (!found) throw bad('the certificate that signing-certificate names did not come with the token');
  const certificate = readCertificate(found.bytes);
  for (const { issuerSerial } of named) if (issuerSerial) checkIssuerSerial(issuerSerial, certificate);
  return certificate;
}

interface Named {
  readonly name: HashName;
  readonly digest: Uint8Array;
  readonly issuerSerial: Der | undefined;
}

/** The first ESSCertID of a signing-certificate attribute: the signer's. */
function namedBy(attribute: Der | undefined, nameOf: (fields: Fields) => HashName): readonly Named[] {
  if (!attribute) return [];
  const outer = fieldsOf(attribute);
  const fields = fieldsOf(fieldsOf(outer.next()).next());
  outer.optional(tags.sequence);
  outer.end();
  const name = nameOf(fields);
  const digest = fields.next(tags.octetString).content;
  const issuerSerial = fields.optional(tags.sequence);
  fields.end();
  return [{ name, digest, issuerSerial }];
}

/** IssuerSerial: the issuer as one GeneralName, and the serial number. */
function checkIssuerSerial(element: Der, certificate: Certificate): void {
  const fields = fieldsOf(element);
  const names = fieldsOf(fields.next());
  const issuer = names.next(context(4)).content;
  names.end();
  const serial = integerOf(fields.next());
  fields.end();
  if (!equalBytes(issuer, certificate.issuer) || !equalBytes(serial, certificate.serial))
    throw bad('signing-certificate names another issuer or serial number');
}

/** SignerInfo version 1 names issuer and serial, version 3 the key identifier. */
function checkIdentifier(version: number, sid: Der, { issuer, serial, keyIdentifier }: Certificate): void {
  if (version === 3 && sid.tag === context(0, 'primitive')) {
    if (!keyIdentifier || !equalBytes(sid.content, keyIdentifier)) throw bad('the signer names another key');
    return;
  }
  if (version !== 1) throw bad('a signer of an unknown version');
  const fields = fieldsOf(sid);
  const namedIssuer = fields.next(tags.sequence).bytes;
  const namedSerial = integerOf(fields.next());
  fields.end();
  const same = equalBytes(namedIssuer, issuer) && equalBytes(namedSerial, serial);
  if (!same) throw bad('the signer names another certificate');
}

function bad(message: string): EvidenceError {
  return new EvidenceError('timestamp', message);
}
