import { EvidenceError } from '../errors.ts';
import type { HashName, SignatureAlgorithm } from '../platform.ts';
import { context, type Der, fieldsOf, oidOf, readDer, smallIntegerOf, tags } from './der.ts';

const hashes: Readonly<Record<string, HashName>> = {
  '2.16.840.1.101.3.4.2.1': 'sha256',
  '2.16.840.1.101.3.4.2.2': 'sha384',
  '2.16.840.1.101.3.4.2.3': 'sha512',
};

type Kind = SignatureAlgorithm['kind'];

/** Signature algorithms; where the name says no hash, that of the digest is meant. */
const signatures: Readonly<Record<string, { readonly kind: Kind; readonly hash?: HashName }>> = {
  '1.2.840.10045.4.3.2': { kind: 'ecdsa', hash: 'sha256' },
  '1.2.840.10045.4.3.3': { kind: 'ecdsa', hash: 'sha384' },
  '1.2.840.10045.4.3.4': { kind: 'ecdsa', hash: 'sha512' },
  '1.2.840.113549.1.1.1': { kind: 'rsa-pkcs1' },
  '1.2.840.113549.1.1.11': { kind: 'rsa-pkcs1', hash: 'sha256' },
  '1.2.840.113549.1.1.12': { kind: 'rsa-pkcs1', hash: 'sha384' },
  '1.2.840.113549.1.1.13': { kind: 'rsa-pkcs1', hash: 'sha512' },
  '1.2.840.113549.1.1.10': { kind: 'rsa-pss' },
};

const mgf1 = '1.2.840.113549.1.1.8';

/** One of the accepted hashes, from its AlgorithmIdentifier. @throws EvidenceError timestamp */
export function hashOf(element: Der): HashName {
  const { oid, parameters } = read(element);
  const hash = hashes[oid];
  if (!hash) throw bad(`the hash ${oid} is not accepted: SHA-256, SHA-384 and SHA-512 are`);
  nullOrNothing(parameters);
  return hash;
}

/** The algorithm of a signature whose digest is made by `hash` (RFC 8933: one hash for both). @throws EvidenceError timestamp */
export function signatureOf(element: Der, hash: HashName): SignatureAlgorithm {
  const { oid, parameters } = read(element);
  const known = signatures[oid];
  if (!known) throw bad(`the signature algorithm ${oid} is not accepted: ECDSA and RSA with SHA-2 are`);
  if (known.hash && known.hash !== hash) throw bad('digest and signature name different hashes');
  if (known.kind === 'rsa-pss') return { kind: 'rsa-pss', hash, saltBytes: saltOf(parameters, hash) };
  if (known.kind === 'ecdsa' && parameters) throw bad('ECDSA with parameters');
  nullOrNothing(parameters);
  return { kind: known.kind, hash };
}

/** RSASSA-PSS-params (RFC 4055 section 3.1). @throws EvidenceError timestamp */
function saltOf(parameters: Der | undefined, hash: HashName): number {
  if (!parameters) throw bad('RSA-PSS without parameters');
  const fields = fieldsOf(parameters);
  const inner = (number: number) => {
    const field = fields.optional(context(number));
    return field && readDer(field.content);
  };
  const [digest, mask, salt, trailer] = [inner(0), inner(1), inner(2), inner(3)];
  fields.end();
  const generator = mask && read(mask);
  const same = digest && hashOf(digest) === hash && generator?.oid === mgf1 && generator.parameters;
  if (!same || hashOf(generator.parameters) !== hash) throw bad('RSA-PSS that names different hashes');
  if (trailer && smallIntegerOf(trailer) !== 1) throw bad('RSA-PSS with an unknown trailer');
  const saltBytes = salt ? smallIntegerOf(salt) : 20;
  if (saltBytes > 64) throw bad('RSA-PSS with a salt that is too long');
  return saltBytes;
}

function read(element: Der): { readonly oid: string; readonly parameters: Der | undefined } {
  const fields = fieldsOf(element);
  const oid = oidOf(fields.next());
  const parameters = fields.isEmpty ? undefined : fields.next();
  fields.end();
  return { oid, parameters };
}

function nullOrNothing(parameters: Der | undefined): void {
  if (parameters && (parameters.tag !== tags.null || parameters.content.length > 0))
    throw bad('parameters of an algorithm that has none');
}

function bad(message: string): EvidenceError {
  return new EvidenceError('timestamp', message);
}
