import type { KeyObject } from 'node:crypto';
import { randomBytes, sha256, toBase64Url, utf8 } from '@deed/evidence';
import type { Clock } from '../clock.ts';
import { signJwt } from '../tokens/jwt.ts';
import { maxProofSeconds, proofType } from '../tokens/proof.ts';

/** The agent's side: one workload proof token for one request to `url`, with its key (P-256, private). */
export function makeWorkloadProof(
  key: KeyObject,
  of: { readonly wit: string; readonly url: string; readonly body?: Uint8Array; readonly accessToken?: string },
  clock: Clock,
): Promise<string> {
  const { wit, url, body = new Uint8Array(), accessToken } = of;
  const iat = Math.floor(clock.now() / 1000);
  const hash = (bytes: Uint8Array) => toBase64Url(sha256(bytes));
  return signJwt(key, proofType, {
    aud: url,
    wth: hash(utf8(wit)),
    ...(accessToken === undefined ? {} : { ath: hash(utf8(accessToken)) }),
    ...(body.length === 0 ? {} : { deed_bdh: hash(body) }),
    jti: toBase64Url(randomBytes(16)),
    iat,
    exp: iat + maxProofSeconds,
  });
}
