import { toHex } from '@deed/evidence';
import { answers, bytesText, el, exact, fold, paged, section } from './dom.ts';
import { type NamedPayload, namedPayloads } from './named-payloads.ts';
import { type HeldCase, type PayloadState, textIn } from './read-case.ts';

/** Characters shown at a time: a payload may be larger than a page should be. */
const chunkCharacters = 20_000;
const shownBytes = 256;
const payloadsAtOnce = 50;

/** Every payload that a statement points to, once, in the order of the log. */
export function payloadsSection(held: HeldCase): HTMLElement | null {
  const named = namedPayloads(held.statements);
  if (named.length === 0) return null;
  const list = paged(named, payloadsAtOnce, (named) => payloadFold(named, held));
  return section('payloads', `Payloads (${named.length})`, list);
}

/** One payload to open, under a name that says what it is. */
export function payloadFold(named: NamedPayload, held: HeldCase): HTMLElement {
  const { title, ref } = named;
  const found = held.payload(ref);
  const state = el('span', { class: `state ${found.state.replace(' ', '-')}` }, found.state);
  const summary = [el('span', {}, title), el('span', { class: 'dim' }, bytesText(ref.size)), state];
  return fold(summary, () => [facts(named, found), found.state === 'here' ? content(found.bytes) : null], {
    kind: 'payload',
  });
}

function facts({ ref, of }: NamedPayload, found: PayloadState): HTMLElement {
  return answers([
    ['Type', ref.type],
    ['Size', bytesText(ref.size)],
    ['Of', of],
    ['Name (SHA-256 with its salt)', el('code', {}, ref.sha256)],
    ...('reason' in found ? [[`Why it is ${found.state}`, found.reason] as const] : []),
    ...(found.state in absences ? [['Why it is not here', absences[found.state] ?? ''] as const] : []),
  ]);
}

const absences: Readonly<Record<string, string>> = {
  'digest only': 'Only its digest was wanted: tier observe keeps no more.',
  absent: 'It is not in the case, and the export does not say why.',
  damaged: 'What stands in its place does not hash to its name.',
};

/** The bytes: as text where they are text, else the first of them in hex. */
export function content(bytes: Uint8Array): HTMLElement {
  const text = textIn(bytes);
  if (text !== undefined) return chunks(text);
  const rest = bytes.length > shownBytes ? ` The first ${shownBytes}:` : '';
  return el('div', {}, el('p', { class: 'dim' }, `Not text.${rest}`), exact(toHex(bytes.subarray(0, shownBytes))));
}

function chunks(text: string): HTMLElement {
  const box = el('div', {});
  const more = el('button', { type: 'button' });
  let at = 0;
  const next = (): void => {
    let end = Math.min(at + chunkCharacters, text.length);
    if (end < text.length && isHighSurrogate(text.charCodeAt(end - 1))) end++;
    more.before(exact(text.slice(at, end)));
    at = end;
    more.textContent = `Show more: ${(text.length - at).toLocaleString('en')} of ${text.length.toLocaleString('en')} characters are left`;
    if (at >= text.length) more.remove();
  };
  more.addEventListener('click', next);
  box.append(more);
  next();
  return box;
}

function isHighSurrogate(code: number): boolean {
  return code >= 0xd800 && code < 0xdc00;
}
