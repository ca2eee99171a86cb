import { createHash } from 'node:crypto';

/** One direction of an exchange as it passed: the digest is of everything, even where it was too long to keep. */
export interface Captured {
  readonly sizeBytes: number;
  /** SHA-256, hex. */
  readonly sha256: string;
  /** Exactly what passed, or nothing above the limit. */
  readonly bytes: Uint8Array | undefined;
}

/** Takes notes beside a stream: it never waits and never throws, so it cannot hold a chunk back. */
export class Capture {
  readonly #limitBytes: number;
  readonly #hash = createHash('sha256');
  #parts: Buffer[] = [];
  #sizeBytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  add(chunk: Buffer): void {
    this.#hash.update(chunk);
    this.#sizeBytes += chunk.length;
    if (this.#sizeBytes <= this.#limitBytes) this.#parts.push(chunk);
    else this.#parts = [];
  }

  /** What came so far; nothing once it was too long to keep. */
  soFar(): Uint8Array {
    return Buffer.concat(this.#parts);
  }

  /** To be called once, when no more comes. */
  end(): Captured {
    const kept = this.#sizeBytes <= this.#limitBytes;
    return {
      sizeBytes: this.#sizeBytes,
      sha256: this.#hash.digest('hex'),
      bytes: kept ? Buffer.concat(this.#parts) : undefined,
    };
  }
}
