import { gunzipSync } from 'node:zlib';
import type { Mapping } from '@deed/evidence';
import { type FilePlace, LogFile, startOfFile } from './log-folder.ts';

/** Bytes of one reading, of one record, and of a document that has to be read whole. */
const maxReadingBytes = 16 * 1024 * 1024;
export const maxRecordBytes = 16 * 1024 * 1024;
const maxDocumentBytes = 256 * 1024 * 1024;
const newline = 0x0a;

/** One record as a file holds it. */
export interface RawRecord {
  readonly raw: Uint8Array;
  /** Where it stands, for what is said of it. */
  readonly at: string;
}

export interface FileReading {
  readonly records: readonly RawRecord[];
  readonly place: FilePlace;
  readonly problems: readonly string[];
  readonly more: boolean;
}

/** Reads on in a file, `limit` records at the most. A file that is compressed or one document is read whole, once. */
export function readRecords(
  file: { readonly name: string; readonly path: string },
  form: Mapping['records'],
  from: FilePlace = startOfFile,
  limit = Number.POSITIVE_INFINITY,
): FileReading {
  const open = new LogFile(file.path);
  try {
    if (!open.continues(from)) {
      const what = `${file.name || 'the file'} shrank or its past was changed: the bytes before ${from.bytes} are not those read before`;
      return { records: [], place: from, problems: [what], more: false };
    }
    const isWhole = form !== 'lines' || file.path.endsWith('.gz');
    return isWhole ? readWhole(open, file, form, from) : readLines(open, file.name, from, limit);
  } finally {
    open.close();
  }
}

function readLines(open: LogFile, name: string, from: FilePlace, limit: number): FileReading {
  const records: RawRecord[] = [];
  const problems: string[] = [];
  const chunk = open.read(from.bytes, maxReadingBytes);
  let at = 0;
  while (records.length < limit) {
    const end = chunk.indexOf(newline, at);
    if (end < 0) break;
    if (end > at) records.push({ raw: chunk.subarray(at, end), at: `${name} at byte ${from.bytes + at}` });
    at = end + 1;
  }
  let bytes = from.bytes + at;
  if (at === 0 && chunk.length === maxReadingBytes) {
    const next = endOfLine(open, bytes + chunk.length);
    if (next !== null) {
      problems.push(`${name} at byte ${bytes}: a record of more than ${maxRecordBytes} bytes is passed over`);
      bytes = next;
    }
  }
  const isMore =
    bytes > from.bytes && bytes < open.size && (records.length >= limit || from.bytes + chunk.length < open.size);
  return { records, place: bytes === from.bytes ? from : open.placeAt(bytes), problems, more: isMore };
}

/** Where the line after a byte begins; null: the line does not end yet. */
function endOfLine(open: LogFile, from: number): number | null {
  for (let at = from; at < open.size; at += maxReadingBytes) {
    const found = open.read(at, maxReadingBytes).indexOf(newline);
    if (found >= 0) return at + found + 1;
  }
  return null;
}

function readWhole(
  open: LogFile,
  { name, path }: { readonly name: string; readonly path: string },
  form: Mapping['records'],
  from: FilePlace,
): FileReading {
  if (from.bytes === open.size) return { records: [], place: from, problems: [], more: false };
  const fail = (why: string): FileReading => ({ records: [], place: from, problems: [`${name}: ${why}`], more: false });
  if (from.bytes > 0) return fail('it has grown since it was read, and such a file is read once');
  if (open.size > maxDocumentBytes) return fail(`more than ${maxDocumentBytes} bytes in one document`);
  let bytes = open.read(0, open.size);
  try {
    if (path.endsWith('.gz')) bytes = gunzipSync(bytes, { maxOutputLength: maxDocumentBytes });
  } catch (cause) {
    return fail(`it cannot be unpacked: ${(cause as Error).message}`);
  }
  const records = form === 'lines' ? linesOf(bytes, name) : listOf(bytes, name, form.list);
  if (typeof records === 'string') return fail(records);
  return { records, place: open.placeAt(open.size), problems: [], more: false };
}

function linesOf(bytes: Uint8Array, name: string): readonly RawRecord[] {
  const records: RawRecord[] = [];
  for (let at = 0; at < bytes.length; ) {
    const found = bytes.indexOf(newline, at);
    const end = found < 0 ? bytes.length : found;
    if (end > at) records.push({ raw: bytes.subarray(at, end), at: `${name} at byte ${at}` });
    at = end + 1;
  }
  return records;
}

/** The records of a list in a document: the exact source text of each. */
function listOf(bytes: Uint8Array, name: string, pointer: string): readonly RawRecord[] | string {
  const path = pointer
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
  const texts = elementsAt(bytes, path);
  return typeof texts === 'string' ? texts : texts.map((raw, i) => ({ raw, at: `${name} at ${pointer}/${i}` }));
}

/** The exact bytes of each element of the list at a path. */
function elementsAt(bytes: Uint8Array, path: readonly string[]): readonly Uint8Array[] | string {
  let text: string;
  let document: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    document = JSON.parse(text);
  } catch (cause) {
    return `it is no JSON document: ${(cause as Error).message.slice(0, 200)}`;
  }
  let list = document;
  for (const step of path) list = (list as Record<string, unknown> | null)?.[step];
  if (!Array.isArray(list)) return `there is no list at /${path.join('/')}`;
  return new ElementScanner(bytes).elements(path);
}

const [quote, backslash, comma, open, close] = [0x22, 0x5c, 0x2c, 0x5b, 0x5d];

/** Finds the elements of a list in JSON that is known to be well-formed. */
class ElementScanner {
  private at = 0;
  private readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  elements(path: readonly string[]): Uint8Array[] {
    for (const step of path) this.enter(step);
    this.space();
    const found: Uint8Array[] = [];
    if (this.bytes[this.at] !== open) return found;
    this.at++;
    for (this.space(); this.bytes[this.at] !== close; this.space()) {
      const start = this.at;
      this.value();
      found.push(this.bytes.subarray(start, this.at));
      this.space();
      if (this.bytes[this.at] === comma) this.at++;
    }
    return found;
  }

  /** To the value of the last member of this name, as readers of JSON take it. */
  private enter(name: string): void {
    this.space();
    this.at++;
    let found = this.at;
    for (this.space(); this.bytes[this.at] === quote; this.space()) {
      const start = this.at;
      this.value();
      const key = JSON.parse(Buffer.from(this.bytes.subarray(start, this.at)).toString()) as string;
      this.space();
      this.at++;
      this.space();
      if (key === name) found = this.at;
      this.value();
      this.space();
      if (this.bytes[this.at] === comma) this.at++;
    }
    this.at = found;
  }

  private space(): void {
    while ([0x20, 0x09, 0x0a, 0x0d].includes(this.bytes[this.at] ?? 0)) this.at++;
  }

  private value(): void {
    let depth = 0;
    do {
      const byte = this.bytes[this.at];
      if (byte === quote) {
        this.text();
      } else if (byte === open || byte === 0x7b) {
        depth++;
        this.at++;
      } else if (byte === close || byte === 0x7d) {
        depth--;
        this.at++;
      } else if (depth > 0) this.at++;
      else while (this.at < this.bytes.length && !isEnd(this.bytes[this.at])) this.at++;
    } while (depth > 0 && this.at < this.bytes.length);
  }

  private text(): void {
    this.at++;
    while (this.bytes[this.at] !== quote) this.at += this.bytes[this.at] === backslash ? 2 : 1;
    this.at++;
  }
}

function isEnd(byte: number | undefined): boolean {
  return (
    byte === comma ||
    byte === close ||
    byte === 0x7d ||
    byte === 0x20 ||
    byte === 0x0a ||
    byte === 0x0d ||
    byte === 0x09
  );
}
