import { fromUtf8, utf8 } from '../encoding.ts';
import { EvidenceError } from '../errors.ts';
import { maxPieces } from './exchange.ts';

/** The members of a request that are lists of messages: each message is a piece of its own. */
const lists: ReadonlySet<string> = new Set(['messages', 'input', 'contents']);
/** Those that are the same from one request to the next. */
const wholes: ReadonlySet<string> = new Set([
  'tools',
  'system',
  'instructions',
  'systemInstruction',
  'system_instruction',
]);

/**
 * Cuts a request where its messages begin and end, so that what it repeats of the one before has the same bytes. The pieces joined
 * are the request, whatever it is: what is no JSON object is one piece.
 */
export function cutRequest(bytes: Uint8Array): readonly Uint8Array[] {
  let text: string;
  try {
    text = fromUtf8(bytes);
  } catch (error) {
    if (error instanceof EvidenceError) return [bytes];
    throw error;
  }
  const cuts = [...cutsOf(text)].slice(0, maxPieces);
  const pieces = [0, ...cuts].map((from, at) => text.slice(from, cuts[at] ?? text.length));
  return pieces.filter((piece) => piece !== '').map(utf8);
}

/** Where to cut, rising. A separator goes with what follows it. */
function cutsOf(text: string): readonly number[] {
  const cuts: number[] = [];
  let at = skipSpace(text, 0);
  if (text[at] !== '{') return [];
  at = skipSpace(text, at + 1);
  while (text[at] === '"') {
    const keyEnd = endOf(text, at);
    const key = text.slice(at + 1, keyEnd - 1);
    at = skipSpace(text, skipSpace(text, keyEnd) + 1);
    const end = endOf(text, at);
    if (wholes.has(key)) cuts.push(at, end);
    if (lists.has(key) && text[at] === '[') cuts.push(...itemsIn(text, at));
    at = skipSpace(text, end);
    if (text[at] !== ',') break;
    at = skipSpace(text, at + 1);
  }
  return cuts;
}

/** Where the first item of a list begins, and where each ends. */
function itemsIn(text: string, start: number): number[] {
  const cuts: number[] = [];
  let at = skipSpace(text, start + 1);
  while (at < text.length && text[at] !== ']') {
    if (cuts.length === 0) cuts.push(at);
    at = endOf(text, at);
    cuts.push(at);
    at = skipSpace(text, at);
    if (text[at] !== ',') break;
    at = skipSpace(text, at + 1);
  }
  return cuts;
}

/** Where a value ends that begins here. Of what is no JSON it says anything that is not before the beginning. */
function endOf(text: string, start: number): number {
  if (text[start] === '"') return stringEnd(text, start);
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    const c = text[at];
    if (c === '"') at = stringEnd(text, at) - 1;
    else if (c === '{' || c === '[') depth++;
    else if (c === '}' || c === ']') {
      if (depth === 0) return at;
      depth--;
      if (depth === 0) return at + 1;
    } else if (depth === 0 && (c === ',' || c === ' ' || c === '\n' || c === '\r' || c === '\t')) return at;
  }
  return text.length;
}

function stringEnd(text: string, start: number): number {
  for (let at = text.indexOf('"', start + 1); at >= 0; at = text.indexOf('"', at + 1)) {
    let slashes = 0;
    while (text[at - 1 - slashes] === '\\') slashes++;
    if (slashes % 2 === 0) return at + 1;
  }
  return text.length;
}

function skipSpace(text: string, from: number): number {
  let at = from;
  while (text[at] === ' ' || text[at] === '\n' || text[at] === '\r' || text[at] === '\t') at++;
  return at;
}
