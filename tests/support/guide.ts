import { readFileSync } from 'node:fs';

/** The name of the terminal that a block is typed into when it names none. */
export const firstTerminal = 'first';

/** One command as a reader types it, and what the page says comes of it. */
export interface Typed {
  readonly line: number;
  /** Null: nothing is typed, and more output of what runs there is shown. */
  readonly command: string | null;
  readonly code: number;
  /** The lines shown below it; none: nothing is said about its output. */
  readonly shown: readonly string[];
  /** It is ended with Ctrl-C after that. */
  readonly interrupted: boolean;
}

export type Block =
  | {
      readonly kind: 'console';
      readonly terminal: string;
      /** To be typed again until it shows what the page shows. */
      readonly again: boolean;
      readonly typed: readonly Typed[];
    }
  | { readonly kind: 'file'; readonly name: string; readonly text: string }
  | { readonly kind: 'not-run'; readonly reason: string; readonly text: string }
  | { readonly kind: 'other'; readonly text: string };

export interface Guide {
  readonly blocks: readonly (Block & { readonly step: number; readonly line: number })[];
  /** The steps of the first deployment that it goes on from; null: it begins with nothing. */
  readonly after: number | null;
}

const notRun = /^\*Not run by the tests: (.+)\*$/;

/**
 * Reads the fenced blocks of a page (docs/guides/README.md says what they mean).
 * @throws Error with file and line, for a block that cannot be what it says
 */
export function readGuide(file: string): Guide {
  const lines = readFileSync(file, 'utf8').split('\n');
  const blocks: Guide['blocks'][number][] = [];
  let step = 0;
  let said = '';
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i] ?? '';
    step = Number(/^## (\d+)\. /.exec(line)?.[1] ?? (line.startsWith('## ') ? 0 : step));
    if (!line.startsWith('```')) {
      if (line.trim() !== '') said = line;
      continue;
    }
    const end = lines.indexOf('```', i + 1);
    if (end < 0) throw new Error(`${file}:${i + 1}: the block does not end`);
    const body = lines.slice(i + 1, end);
    const [language = '', ...words] = line.slice(3).trim().split(' ');
    const reason = notRun.exec(said)?.[1];
    const text = body.join('\n');
    const at = { step, line: i + 1 };
    if (reason !== undefined) blocks.push({ kind: 'not-run', reason, text, ...at });
    else if (language === 'console') {
      const terminal = words.find((word) => word !== 'again') ?? firstTerminal;
      const typed = readTyped(body, `${file}:${i + 1}`, i + 2);
      blocks.push({ kind: 'console', terminal, again: words.includes('again'), typed, ...at });
    } else if (words[0] !== undefined) blocks.push({ kind: 'file', name: words[0], text: `${text}\n`, ...at });
    else blocks.push({ kind: 'other', text, ...at });
    said = '';
    i = end;
  }
  const after = /Goes on after step (\d+) of \[[^\]]*\]\([^)]*first-deployment\.md\)/.exec(lines.join(' '))?.[1];
  return { blocks, after: after === undefined ? null : Number(after) };
}

/** `$ ` begins a command, `> ` continues it, `^C` ends it, and the rest is its output. */
function readTyped(body: readonly string[], where: string, firstLine: number): Typed[] {
  const typed: { line: number; command: string | null; shown: string[]; interrupted: boolean }[] = [];
  body.forEach((text, i) => {
    let last = typed.at(-1);
    if (text.startsWith('$ ')) {
      typed.push({ line: firstLine + i, command: text.slice(2), shown: [], interrupted: false });
      return;
    }
    if (!last) {
      last = { line: firstLine + i, command: null, shown: [], interrupted: false };
      typed.push(last);
    }
    if (text.startsWith('> ') && last.command !== null && last.shown.length === 0) last.command += `\n${text.slice(2)}`;
    else if (text === '^C') last.interrupted = true;
    else if (last.interrupted) throw new Error(`${where}: nothing is shown after ^C`);
    else last.shown.push(text);
  });
  if (typed.length === 0) throw new Error(`${where}: an empty block`);
  return typed.map((one) => ({ ...one, code: Number(/# exit code (\d+)$/.exec(one.command ?? '')?.[1] ?? 0) }));
}

/** What a page shows, as a pattern: `…` is anything within a line, and alone on a line it is any lines. */
export function patternOf(shown: readonly string[]): string {
  return shown
    .map((line) => (line.trim() === '…' ? '(?:.*\\n)*?' : `${columns(line).split('…').map(literally).join('.*')}\\n`))
    .join('');
}

/** Text with its columns pushed together: how wide they are depends on what stands in them. */
export function columns(text: string): string {
  return text.replaceAll(/(?<=\S) {2,}/g, '  ').replaceAll(/ +$/gm, '');
}

/**
 * Puts in what a reader reads off: a word of a command that is cut by `…` is the newest one in the output that begins so;
 * `…` alone is what stood there after the same word.
 * @throws Error for what was never printed
 */
export function readOff(text: string, output: string): string {
  return text.replaceAll(/(?<word>[^\s…]+ )?(?<begin>[^\s"'=(]*)…(?<next>[^\s"')]?)/g, (...all) => {
    const { word = '', begin = '', next = '' } = all.at(-1) as Readonly<Record<string, string | undefined>>;
    const before = literally(begin === '' ? word : begin);
    const rest = next === '/' ? '[\\w+=-]+(?=/)' : '[\\w+/=-]+';
    const newest = [...output.matchAll(new RegExp(`${before}(${rest})`, 'g'))].at(-1)?.[1];
    if (newest === undefined) throw new Error(`nothing was printed that begins with ${begin || word}`);
    return `${word}${begin}${newest}${next}`;
  });
}

function literally(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
