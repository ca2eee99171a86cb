import { fromBase64Url, toHex, utf8 } from '../encoding.ts';
import { EvidenceError } from '../errors.ts';
import { type Json, parseStrictJson } from '../json.ts';
import { derFromP1363 } from '../jwk.ts';
import { maxJwtBytes } from '../jwt.ts';
import { sha256, verifySignature } from '../platform.ts';
import { type PublicJwk, spkiOfJwk } from './jwk-set.ts';
import { verifyRsaSha256 } from './rsa.ts';
import type { Claims } from './trust-rules.ts';

/** The signatures that issuers of workload tokens make, and the key that belongs to each. */
const algorithms = {
  RS256: { fits: (key: PublicJwk) => key.kty === 'RSA', how: { kind: 'rsa-pkcs1', hash: 'sha256' } },
  ES256: { fits: (key: PublicJwk) => key.kty === 'EC' && key.crv === 'P-256', how: { kind: 'ecdsa', hash: 'sha256' } },
  ES384: { fits: (key: PublicJwk) => key.kty === 'EC' && key.crv === 'P-384', how: { kind: 'ecdsa', hash: 'sha384' } },
} as const;

/** A JWT that a platform gave to a workload: GitHub Actions, Kubernetes, a cloud. */
export interface WorkloadToken {
  /** Which of its issuer's keys signed it. */
  readonly kid: string;
  readonly claims: Claims;
  readonly issuer: string;
  /** Seconds since 1970. */
  readonly iat: number;
  readonly exp: number;
  /**
   * Under what it is remembered as used: its content, and its `jti` if it has one. The signature is no part of it: an ECDSA
   * signature can be spelt in two ways.
   */
  readonly uses: readonly string[];
  /** @throws EvidenceError key, signature (in no form that can hold) */
  verify(key: PublicJwk): boolean;
}

/** @throws EvidenceError limit, encoding, json, signature (another algorithm, type or form) */
export function readWorkloadToken(text: string): WorkloadToken {
  if (text.length > maxJwtBytes) throw new EvidenceError('limit', `a token larger than ${maxJwtBytes} bytes`);
  const parts = text.split('.');
  const [head, body, sig] = parts;
  if (parts.length !== 3 || !head || !body || !sig) throw new EvidenceError('encoding', 'not a compact JWT');
  const header = object(head);
  const { alg, kid, typ } = header;
  const known = Object.entries(algorithms).find(([name]) => name === alg)?.[1];
  // Tokens and proofs of ours have types of their own: none of them is a workload token.
  const isTyped = typ === undefined || (typeof typ === 'string' && typ.toUpperCase() === 'JWT');
  if (!known || !isTyped || typeof kid !== 'string' || kid === '' || 'crit' in header || 'b64' in header) {
    throw new EvidenceError('signature', 'not a workload token: RS256, ES256 or ES384 with a kid, and no type but JWT');
  }
  const claims = object(body);
  const { iss, iat, exp, jti } = claims;
  if (typeof iss !== 'string' || !isSeconds(iat) || !isSeconds(exp)) {
    throw new EvidenceError('json', 'a workload token has iss, iat and exp');
  }
  const signature = fromBase64Url(sig);
  const signed = utf8(`${head}.${body}`);
  return {
    kid,
    claims,
    issuer: iss,
    iat,
    exp,
    uses: [hex('content', head, body), ...(typeof jti === 'string' && jti !== '' ? [hex('jti', iss, jti)] : [])],
    verify(key) {
      if (!known.fits(key) || key.kid !== kid) return false;
      const form = known.how.kind === 'ecdsa' ? derFromP1363(signature, alg === 'ES384' ? 48 : 32) : signature;
      const holds = verifySignature(known.how, spkiOfJwk(key), signed, form);
      if (holds !== 'unsupported') return holds;
      if (key.kty !== 'RSA') return false;
      const rsa = { modulus: fromBase64Url(key.n), exponent: fromBase64Url(key.e) };
      return verifyRsaSha256(rsa, signed, signature);
    },
  };
}

function hex(...parts: readonly string[]): string {
  return toHex(sha256(utf8(['deed-workload-token-v1', ...parts].join('\0'))));
}

function isSeconds(value: Json | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function object(part: string): Record<string, Json> {
  const { value } = parseStrictJson(fromBase64Url(part));
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new EvidenceError('json', 'a JWT part that is not an object');
  }
  return value as Record<string, Json>;
}
