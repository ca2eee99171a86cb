import { fromBase64Url, utf8 } from './encoding.ts';
import { EvidenceError } from './errors.ts';
import { type Json, parseStrictJson } from './json.ts';
import { derFromP1363 } from './jwk.ts';
import { verifyP256 } from './platform.ts';

export const maxJwtBytes = 16 * 1024;

export interface CompactJwt {
  readonly claims: Readonly<Record<string, Json>>;
  /** True if this P-256 key made it. */
  verify(spki: Uint8Array): boolean;
}

/**
 * Reads a compact JWT whose header is `alg` ES256 and this `typ` (of several: one of them; undefined: none), with nothing critical
 * in it.
 * @throws EvidenceError json, encoding, signature (another algorithm, type or form), limit
 */
export function parseJwt(text: string, typ: string | readonly (string | undefined)[]): CompactJwt {
  if (text.length > maxJwtBytes) throw new EvidenceError('limit', `a JWT larger than ${maxJwtBytes} bytes`);
  const parts = text.split('.');
  const [head, body, sig] = parts;
  if (parts.length !== 3 || !head || !body || !sig) throw new EvidenceError('encoding', 'not a compact JWT');
  const header = object(head);
  const typed = typeof typ === 'string' ? header.typ === typ : typ.some((each) => header.typ === each);
  const accepted = header.alg === 'ES256' && typed && !('crit' in header) && !('b64' in header);
  if (!accepted) throw new EvidenceError('signature', `not a JWT of type ${typ} with algorithm ES256`);
  const signature = derFromP1363(fromBase64Url(sig));
  return { claims: object(body), verify: (spki) => verifyP256(spki, utf8(`${head}.${body}`), signature) };
}

function object(part: string): Record<string, Json> {
  const { value } = parseStrictJson(fromBase64Url(part));
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new EvidenceError('json', 'a JWT part that is not an object');
  }
  return value as Record<string, Json>;
}
