import { concat } from '../encoding.ts';
import { EvidenceError } from '../errors.ts';

/** Tags that time-stamping uses, as their one byte. */
export const tags = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/** The tag of a context-specific field; `constructed` where other elements are in it. */
export const context = (number: number, how: 'constructed' | 'primitive' = 'constructed'): number =>
  (how === 'constructed' ? 0xa0 : 0x80) + number;

/** One DER element. Nothing in it is read before it is asked for. */
export interface Der {
  readonly tag: number;
  /** The whole element: tag, length, content. */
  readonly bytes: Uint8Array;
  readonly content: Uint8Array;
}

/** Reads bytes that are exactly one element (X.690: definite length, in its shortest form). @throws EvidenceError timestamp */
export function readDer(bytes: Uint8Array): Der {
  const element = elementAt(bytes);
  if (element.bytes.length !== bytes.length) throw bad('bytes after the end of an element');
  return element;
}

/** The elements inside a constructed one, to be taken in order. */
export function fieldsOf(element: Der, tag: number = tags.sequence): Fields {
  if (element.tag !== tag) throw bad(`element with tag ${hexByte(element.tag)} where ${hexByte(tag)} was expected`);
  return new Fields(element.content);
}

export class Fields {
  private rest: Uint8Array;

  constructor(content: Uint8Array) {
    this.rest = content;
  }

  get isEmpty(): boolean {
    return this.rest.length === 0;
  }

  /** The next element, which must have this tag if one is given. @throws EvidenceError timestamp */
  next(tag?: number): Der {
    const element = elementAt(this.rest);
    if (tag !== undefined && element.tag !== tag)
      throw bad(`element with tag ${hexByte(element.tag)} where ${hexByte(tag)} was expected`);
    this.rest = this.rest.subarray(element.bytes.length);
    return element;
  }

  /** The next element if it has this tag. @throws EvidenceError timestamp */
  optional(tag: number): Der | undefined {
    return this.rest[0] === tag ? this.next() : undefined;
  }

  /** All that is left. @throws EvidenceError timestamp */
  all(tag?: number): readonly Der[] {
    const found: Der[] = [];
    while (!this.isEmpty) found.push(this.next(tag));
    return found;
  }

  /** @throws EvidenceError timestamp, if something is left */
  end(): void {
    if (!this.isEmpty) throw bad('a field that does not belong here');
  }
}

function elementAt(bytes: Uint8Array): Der {
  const [tag, first] = bytes;
  if (tag === undefined || first === undefined) throw bad('an element ends too early');
  if ((tag & 0x1f) === 0x1f) throw bad('a tag of several bytes');
  let start = 2;
  let length = first;
  if (first >= 0x80) {
    const size = first - 0x80;
    if (size < 1 || size > 3) throw bad('a length that is indefinite or too long');
    length = 0;
    for (let i = 0; i < size; i++) length = length * 256 + (bytes[start++] ?? 0);
    const isShortest = length >= 0x80 && length >= 256 ** (size - 1);
    if (!isShortest) throw bad('a length that is not in its shortest form');
  }
  if (start + length > bytes.length) throw bad('an element ends too early');
  return { tag, bytes: bytes.subarray(0, start + length), content: bytes.subarray(start, start + length) };
}

/** Dotted form of an object identifier. @throws EvidenceError timestamp */
export function oidOf({ tag, content }: Der): string {
  if (tag !== tags.oid) throw bad('no object identifier where one was expected');
  const arcs: number[] = [];
  let arc = 0;
  let begins = true;
  for (const byte of content) {
    if (begins && byte === 0x80) throw bad('an object identifier that is not in its shortest form');
    arc = arc * 128 + (byte & 0x7f);
    if (arc > Number.MAX_SAFE_INTEGER / 128) throw bad('an object identifier that is too long');
    begins = byte < 0x80;
    if (!begins) continue;
    if (arcs.length === 0) arcs.push(Math.min(2, Math.floor(arc / 40)), arc - 40 * Math.min(2, Math.floor(arc / 40)));
    else arcs.push(arc);
    arc = 0;
  }
  if (!begins || arcs.length === 0) throw bad('an object identifier that ends too early');
  return arcs.join('.');
}

/** The bytes of an integer, two's complement in its shortest form. @throws EvidenceError timestamp */
export function integerOf({ tag, content }: Der, expected: number = tags.integer): Uint8Array {
  const [first, second] = content;
  if (tag !== expected || first === undefined) throw bad('no integer where one was expected');
  const padded = second !== undefined && ((first === 0 && second < 0x80) || (first === 0xff && second >= 0x80));
  if (padded) throw bad('an integer that is not in its shortest form');
  return content;
}

/** A small integer that is not negative. @throws EvidenceError timestamp */
export function smallIntegerOf(element: Der, expected?: number): number {
  const content = integerOf(element, expected);
  if (content.length > 4 || (content[0] ?? 0) >= 0x80) throw bad('an integer out of its range');
  return content.reduce((value, byte) => value * 256 + byte, 0);
}

/** @throws EvidenceError timestamp */
export function booleanOf({ tag, content }: Der): boolean {
  const [value] = content;
  if (tag !== tags.boolean || content.length !== 1 || (value !== 0 && value !== 0xff)) throw bad('no boolean in DER');
  return value === 0xff;
}

/** Writes one element. */
export function der(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const content = concat(...parts);
  const { length } = content;
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  if (length > 0xffff) throw new EvidenceError('limit', 'an element of more than 64 KiB');
  return concat(Uint8Array.of(tag, ...size), content);
}

function hexByte(value: number): string {
  return `0x${value.toString(16).padStart(2, '0')}`;
}

function bad(message: string): EvidenceError {
  return new EvidenceError('timestamp', message);
}
