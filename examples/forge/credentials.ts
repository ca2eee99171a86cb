import { createHash, timingSafeEqual } from 'node:crypto';

export interface Credential {
  readonly sha256: Buffer;
  readonly repositories: ReadonlySet<string>;
}

export type Reason = 'revoked' | 'unknown' | 'wrong-secret';

/** Who a request is: nobody (a first probe), a checked credential, or a claim that was refused. */
export type Caller =
  | { readonly kind: 'anonymous' }
  | { readonly kind: 'known'; readonly id: string; readonly repositories: ReadonlySet<string> }
  | { readonly kind: 'refused'; readonly claimed: string; readonly reason: Reason };

export class Credentials {
  readonly #active = new Map<string, Credential>();
  readonly #revoked = new Set<string>();

  put(id: string, credential: Credential): void {
    this.#active.set(id, credential);
    this.#revoked.delete(id);
  }

  /** False when there is no such active credential. */
  revoke(id: string): boolean {
    if (!this.#active.delete(id)) return false;
    this.#revoked.add(id);
    return true;
  }

  /** RFC 7617 Basic: the user is the credential's id. Only the SHA-256 of the secret is known here. */
  check(authorization: string | undefined): Caller {
    const basic = /^Basic ([A-Za-z0-9+/]+=*)$/i.exec(authorization ?? '')?.[1];
    if (basic === undefined) return { kind: 'anonymous' };
    const text = Buffer.from(basic, 'base64').toString();
    const colon = text.indexOf(':');
    const id = (colon < 0 ? text : text.slice(0, colon)).slice(0, 128).toWellFormed();
    const given = sha256(colon < 0 ? '' : text.slice(colon + 1));
    const known = this.#active.get(id);
    if (known === undefined) {
      return { kind: 'refused', claimed: id, reason: this.#revoked.has(id) ? 'revoked' : 'unknown' };
    }
    if (!timingSafeEqual(known.sha256, given)) return { kind: 'refused', claimed: id, reason: 'wrong-secret' };
    return { kind: 'known', id, repositories: known.repositories };
  }
}

export function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
