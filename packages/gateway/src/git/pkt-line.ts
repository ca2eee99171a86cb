import { concat, fromUtf8 } from '@deed/evidence';
import { GitError } from './errors.ts';

/** One pkt-line of git's wire protocol (gitprotocol-common): a payload, or `null` for the flush packet `0000`. */
export type PktLine = Uint8Array | null;

/** The longest pkt-line, its four length digits included (gitprotocol-common, LARGE_PACKET_MAX). */
export const maxPktLineBytes = 65_520;

/**
 * Cuts a byte stream into pkt-lines. Strict: four lower- or upper-case hex digits, no length 1 to 4 (an empty
 * data packet and the special packets of protocol v2 have no place in a push), none above 65520.
 */
export class PktLineReader {
  #rest: Uint8Array = new Uint8Array(0);

  push(chunk: Uint8Array): void {
    this.#rest = this.#rest.length === 0 ? chunk : concat(this.#rest, chunk);
  }

  /** The next whole pkt-line, or undefined until more bytes are pushed. @throws GitError pkt-line */
  next(): PktLine | undefined {
    if (this.#rest.length < 4) return undefined;
    const digits = Buffer.from(this.#rest.subarray(0, 4)).toString('latin1');
    if (!/^[0-9a-fA-F]{4}$/.test(digits)) throw new GitError('pkt-line', 'a pkt-line does not start with a length');
    const length = Number.parseInt(digits, 16);
    if (length === 0) {
      this.#rest = this.#rest.subarray(4);
      return null;
    }
    if (length <= 4 || length > maxPktLineBytes)
      throw new GitError('pkt-line', `pkt-line length ${length} not accepted`);
    if (this.#rest.length < length) return undefined;
    const payload = this.#rest.subarray(4, length);
    this.#rest = this.#rest.subarray(length);
    return payload;
  }

  /** Bytes pushed and not yet returned. */
  get rest(): Uint8Array {
    return this.#rest;
  }
}

/** The text of a payload without its optional newline. @throws GitError pkt-line when it is not UTF-8 */
export function pktText(payload: Uint8Array): string {
  try {
    const text = fromUtf8(payload);
    return text.endsWith('\n') ? text.slice(0, -1) : text;
  } catch (cause) {
    throw new GitError('pkt-line', 'a pkt-line that is not UTF-8', { cause });
  }
}
