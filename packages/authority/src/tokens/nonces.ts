import { hmacSha256, randomBytes, toBase64Url, utf8 } from '@deed/evidence';
import type { Clock } from '../clock.ts';

const windowMs = 60_000;
const nonceSize = 16;

export interface Nonce {
  readonly nonce: string;
  /** Milliseconds since 1970. */
  readonly expiresMs: number;
}

/**
 * What a proof at tier approve repeats, so that nobody can have made it in advance: a value for each agent's key that changes each
 * minute and holds for one more. It may serve several proofs: each of these is single use by itself.
 */
export class Nonces {
  private readonly clock: Clock;
  /** Of this process: a restart asks for new proofs. */
  private readonly secret = randomBytes(32);

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** `jkt`: thumbprint of the agent's key. */
  current(jkt: string): Nonce {
    const window = this.window();
    return { nonce: this.nonceOf(window, jkt), expiresMs: (window + 2) * windowMs };
  }

  holds(nonce: string | undefined, jkt: string): boolean {
    const window = this.window();
    return [window, window - 1].some((each) => nonce === this.nonceOf(each, jkt));
  }

  private window(): number {
    return Math.floor(this.clock.now() / windowMs);
  }

  private nonceOf(window: number, jkt: string): string {
    return toBase64Url(hmacSha256(this.secret, utf8(`${window}.${jkt}`)).subarray(0, nonceSize));
  }
}
