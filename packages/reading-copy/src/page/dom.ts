import { plainLine, plainText } from '@deed/evidence';

export type Child = Node | string | null;
type Attributes = Readonly<Record<string, string>>;

/**
 * An element. Every text of the page comes through here or {@link exact} and is made plain on the way, so that what others
 * wrote can neither be markup nor hide or turn what stands beside it.
 */
export function el<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  for (const child of children) {
    if (child !== null) element.append(typeof child === 'string' ? plainLine(child) : child);
  }
  return element;
}

/** Text of several lines as it is, with hidden characters shown as escapes. */
export function exact(text: string): HTMLPreElement {
  const pre = document.createElement('pre');
  pre.textContent = plainText(text);
  return pre;
}

export function bytesText(count: number): string {
  return `${count.toLocaleString('en')} bytes`;
}

/** Questions and their answers. */
export function answers(rows: readonly (readonly [question: string, answer: Child])[]): HTMLElement {
  return el('dl', {}, ...rows.map(([question, answer]) => el('div', {}, el('dt', {}, question), el('dd', {}, answer))));
}

export function section(id: string, title: string, ...children: readonly Child[]): HTMLElement {
  return el('section', { id, 'aria-labelledby': `${id}-title` }, el('h2', { id: `${id}-title` }, title), ...children);
}

/** Something to open; what is inside is made when it first opens, and when the page is printed if `prints`. */
export function fold(
  summary: readonly Child[],
  fill: () => readonly Child[],
  { open = false, prints = false, kind = '' } = {},
): HTMLDetailsElement {
  const body = el('div', { class: 'fold' });
  const details = el('details', kind ? { class: kind } : {}, el('summary', {}, ...summary), body);
  let filled = false;
  const ensure = (): void => {
    if (filled) return;
    filled = true;
    for (const child of fill()) if (child !== null) body.append(child);
  };
  details.addEventListener('toggle', () => details.open && ensure());
  if (open) {
    details.open = true;
    ensure();
  }
  if (prints) {
    onPrint(() => {
      ensure();
      details.open = true;
    });
  }
  return details;
}

/** A list of which only the beginning is made, with a button for more; all of it when the page is printed. */
export function paged<T>(items: readonly T[], size: number, make: (item: T, position: number) => Node): HTMLElement {
  const list = el('ol', { class: 'plain' });
  const box = el('div', {}, list);
  let shown = 0;
  const more = el('button', { type: 'button' });
  const show = (count: number): void => {
    const next = items.slice(shown, shown + count);
    list.append(...next.map((item, i) => el('li', {}, make(item, shown + i))));
    shown += next.length;
    const left = items.length - shown;
    more.textContent = `Show ${Math.min(size, left)} more of ${left}`;
    if (left === 0) more.remove();
  };
  more.addEventListener('click', () => show(size));
  show(size);
  if (shown < items.length) box.append(more);
  onPrint(() => show(items.length));
  return box;
}

const printers: (() => void)[] = [];

/** What must be on the page before it goes to paper. What one maker adds may add makers of its own: they follow it. */
function onPrint(make: () => void): void {
  printers.push(make);
}

window.addEventListener('beforeprint', () => {
  for (const make of printers) make();
});
