import { fromUtf8 } from './encoding.ts';
import { EvidenceError } from './errors.ts';

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** Where a value stands in the text it was parsed from: UTF-16 offsets, end exclusive. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

export interface StrictJson {
  readonly text: string;
  readonly value: Json;
  /** The exact source text of the value at a path of keys and indexes, or undefined if there is none. */
  raw(...path: readonly (string | number)[]): string | undefined;
}

interface Node {
  readonly span: Span;
  readonly value: Json;
  readonly members?: ReadonlyMap<string, Node>;
  readonly items?: readonly Node[];
}

export interface JsonLimits {
  readonly maxDepth?: number;
  /** Also refuse two keys of one object that differ in letter case alone (lenient readers mix them up). */
  readonly refuseCaseVariants?: boolean;
}

/**
 * Parses exactly one RFC 8259 value and refuses what readers disagree about: duplicate keys, lone surrogates,
 * integers that a double cannot hold, `__proto__` as a key, a byte order mark, anything after the value.
 * @throws EvidenceError json (with line and column), encoding, limit (too deep)
 */
export function parseStrictJson(input: string | Uint8Array, limits: JsonLimits = {}): StrictJson {
  const text = typeof input === 'string' ? input : fromUtf8(input);
  const root = new Parser(text, limits.maxDepth ?? 64, limits.refuseCaseVariants ?? false).document();
  return {
    text,
    value: root.value,
    raw(...path) {
      let node: Node | undefined = root;
      for (const step of path) node = typeof step === 'number' ? node?.items?.[step] : node?.members?.get(step);
      return node && text.slice(node.span.start, node.span.end);
    },
  };
}

/**
 * The fast way for what we write ourselves: the value of a text that is exactly as JSON.stringify writes it. Such a text has
 * one reading. Undefined for any other, and for what might be refused: {@link parseStrictJson} judges that. Depth is not looked at.
 */
export function parseOwnJson(text: string): Json | undefined {
  if (text.includes('\\ud') || text.includes('__proto__') || /[0-9]{16}/.test(text)) return undefined;
  try {
    const value: Json = JSON.parse(text);
    return JSON.stringify(value) === text ? value : undefined;
  } catch {
    return undefined;
  }
}

const numberPattern = /-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON strings must not hold raw control characters
const plainPattern = /[^"\\\u0000-\u001f]*/y;

class Parser {
  private at = 0;
  private readonly text: string;
  private readonly maxDepth: number;
  private readonly refuseCaseVariants: boolean;
  constructor(text: string, maxDepth: number, refuseCaseVariants: boolean) {
    this.text = text;
    this.maxDepth = maxDepth;
    this.refuseCaseVariants = refuseCaseVariants;
  }

  document(): Node {
    this.space();
    const node = this.value(0);
    this.space();
    if (this.at !== this.text.length) this.fail('text after the value');
    return node;
  }

  private fail(what: string): never {
    const before = this.text.slice(0, this.at);
    const line = before.split('\n').length;
    const column = this.at - before.lastIndexOf('\n');
    throw new EvidenceError('json', `${what} at line ${line}, column ${column}`);
  }

  private space(): void {
    for (;;) {
      const c = this.text.charCodeAt(this.at);
      if (c === 0x20 || c === 0x0a || c === 0x0d || c === 0x09) this.at++;
      else return;
    }
  }

  private value(depth: number): Node {
    if (depth > this.maxDepth) throw new EvidenceError('limit', `JSON nested deeper than ${this.maxDepth}`);
    const start = this.at;
    const c = this.text[start];
    if (c === '{') return this.object(start, depth);
    if (c === '[') return this.array(start, depth);
    if (c === '"') return { value: this.string(), span: { start, end: this.at } };
    for (const [word, value] of [
      ['true', true],
      ['false', false],
      ['null', null],
    ] as const) {
      if (this.text.startsWith(word, start)) {
        this.at += word.length;
        return { value, span: { start, end: this.at } };
      }
    }
    return { value: this.number(), span: { start, end: this.at } };
  }

  private number(): number {
    numberPattern.lastIndex = this.at;
    const match = numberPattern.exec(this.text);
    if (!match) this.fail('not a JSON value');
    const value = Number(match[0]);
    const isInteger = match[1] === undefined && match[2] === undefined;
    if (!Number.isFinite(value) || (isInteger && !Number.isSafeInteger(value))) this.fail('number out of range');
    this.at += match[0].length;
    return value;
  }

  private string(): string {
    this.at++;
    let out = '';
    for (;;) {
      plainPattern.lastIndex = this.at;
      const plain = plainPattern.exec(this.text)?.[0] ?? '';
      out += plain;
      this.at += plain.length;
      const c = this.text[this.at];
      if (c === '"') {
        this.at++;
        if (!out.isWellFormed()) this.fail('lone surrogate in string');
        return out;
      }
      if (c !== '\\') this.fail(c === undefined ? 'string without end' : 'control character in string');
      out += this.escape();
    }
  }

  private escape(): string {
    const c = this.text[this.at + 1] ?? '';
    if (c === 'u') {
      const hex = this.text.slice(this.at + 2, this.at + 6);
      if (!/^[0-9a-fA-F]{4}$/.test(hex)) this.fail('bad \\u escape');
      this.at += 6;
      return String.fromCharCode(Number.parseInt(hex, 16));
    }
    const index = '"\\/bfnrt'.indexOf(c);
    if (c === '' || index < 0) this.fail('bad escape');
    this.at += 2;
    return '"\\/\b\f\n\r\t'.charAt(index);
  }

  private object(start: number, depth: number): Node {
    const members = new Map<string, Node>();
    const folded = new Set<string>();
    this.at++;
    this.space();
    if (this.text[this.at] === '}') this.at++;
    else
      for (;;) {
        if (this.text[this.at] !== '"') this.fail('expected a key');
        const key = this.string();
        if (key === '__proto__') this.fail('key __proto__ is not accepted');
        if (members.has(key)) this.fail(`duplicate key ${JSON.stringify(key)}`);
        if (this.refuseCaseVariants) {
          const lower = key.toLowerCase();
          if (folded.has(lower)) this.fail(`key ${JSON.stringify(key)} differs from another in letter case alone`);
          folded.add(lower);
        }
        this.space();
        if (this.text[this.at] !== ':') this.fail('expected ":"');
        this.at++;
        this.space();
        members.set(key, this.value(depth + 1));
        if (this.separator('}')) break;
      }
    const value: Record<string, Json> = {};
    for (const [key, node] of members) value[key] = node.value;
    return { value, members, span: { start, end: this.at } };
  }

  private array(start: number, depth: number): Node {
    const items: Node[] = [];
    this.at++;
    this.space();
    if (this.text[this.at] === ']') this.at++;
    else
      for (;;) {
        items.push(this.value(depth + 1));
        if (this.separator(']')) break;
      }
    return { value: items.map((item) => item.value), items, span: { start, end: this.at } };
  }

  /** Steps over "," and returns false, or over the closing bracket and returns true. */
  private separator(close: string): boolean {
    this.space();
    const c = this.text[this.at];
    if (c !== ',' && c !== close) this.fail(`expected "," or "${close}"`);
    this.at++;
    if (c === ',') this.space();
    return c === close;
  }
}

/** True if two texts say the same JSON value, however they space and order it. False where one of them is not strict JSON. */
export function isSameJson(a: string, b: string): boolean {
  try {
    return isSameValue(parseStrictJson(a).value, parseStrictJson(b).value);
  } catch (error) {
    if (error instanceof EvidenceError) return false;
    throw error;
  }
}

/** The same value, whatever the order of members. */
export function isSameValue(a: Json, b: Json): boolean {
  if (typeof a !== 'object' || a === null || typeof b !== 'object' || b === null) return a === b;
  if (Array.isArray(a) || Array.isArray(b)) {
    return (
      Array.isArray(a) &&
      Array.isArray(b) &&
      a.length === b.length &&
      a.every((one, i) => isSameValue(one, b[i] as Json))
    );
  }
  const [left, right] = [a, b] as { readonly [key: string]: Json }[];
  const keys = Object.keys(left ?? {});
  return (
    keys.length === Object.keys(right ?? {}).length &&
    keys.every((key) => Object.hasOwn(right ?? {}, key) && isSameValue(left?.[key] as Json, right?.[key] as Json))
  );
}
