import { GatewayError } from '../../errors.ts';
import { maxLineBytes } from '../message.ts';

/** One event of a `text/event-stream`, or a comment between two. */
export interface StreamEvent {
  /** Exactly as it came, its end included. */
  readonly bytes: Uint8Array;
  /** Its `data` lines, joined as a client joins them; null if it has none. */
  readonly data: string | null;
  /** Its own name, by which a client can go on after it; null without one. */
  readonly id: string | null;
}

const [lf, cr, colon] = [0x0a, 0x0d, 0x3a];

/** Cuts an event stream into its events without changing a byte, wherever the chunks are cut. */
export class EventSplitter {
  private readonly onEvent: (event: StreamEvent) => void;
  private lines: Buffer[] = [];
  private line: Buffer[] = [];
  private size = 0;
  private afterCr = false;
  private first = true;

  constructor(onEvent: (event: StreamEvent) => void) {
    this.onEvent = onEvent;
  }

  /** @throws GatewayError too-large */
  push(chunk: Buffer): void {
    let start = 0;
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at];
      if (this.afterCr) {
        this.afterCr = false;
        if (byte === lf) {
          this.joinLf(chunk.subarray(at, at + 1));
          start = at + 1;
          continue;
        }
      }
      if (byte !== lf && byte !== cr) continue;
      this.take(chunk.subarray(start, at + 1));
      start = at + 1;
      this.afterCr = byte === cr;
      this.endLine();
    }
    this.take(chunk.subarray(start));
  }

  /** What has no end yet: of a stream that broke off. */
  rest(): Uint8Array {
    return Buffer.concat([...this.lines, ...this.line]);
  }

  private take(part: Buffer): void {
    if (part.length === 0) return;
    this.size += part.length;
    if (this.size > 2 * maxLineBytes) throw new GatewayError('too-large', 'an event above the limit');
    this.line.push(part);
  }

  /** The second half of a line end of two: the line was over with the first, and so may be its event. */
  private joinLf(part: Buffer): void {
    const last = this.lines.at(-1);
    if (last) this.lines[this.lines.length - 1] = Buffer.concat([last, part]);
    else this.onEvent({ bytes: part, data: null, id: null });
  }

  private endLine(): void {
    const line = Buffer.concat(this.line);
    this.line = [];
    const isBlank = line.length === 1;
    const isLoneComment = this.lines.length === 0 && line[0] === colon;
    this.lines.push(line);
    if (!isBlank && !isLoneComment) return;
    const bytes = Buffer.concat(this.lines);
    this.lines = [];
    this.size = 0;
    const fields = readFields(bytes, this.first);
    this.first = false;
    this.onEvent({ bytes, ...fields });
  }
}

/** One message as an event. */
export function eventOf(message: string): string {
  return `${message
    .trimEnd()
    .split(/\r\n|\r|\n/)
    .map((line) => `data: ${line}\n`)
    .join('')}\n`;
}

function readFields(bytes: Buffer, first: boolean): { readonly data: string | null; readonly id: string | null } {
  const text = bytes.toString('utf8');
  const data: string[] = [];
  let id: string | null = null;
  for (const line of (first ? text.replace(/^\uFEFF/, '') : text).split(/\r\n|\r|\n/)) {
    const at = line.indexOf(':');
    const [name, value] = at < 0 ? [line, ''] : [line.slice(0, at), line.slice(at + 1).replace(/^ /, '')];
    if (name === 'data') data.push(value);
    if (name === 'id') id = value;
  }
  return { data: data.length === 0 ? null : data.join('\n'), id };
}
