import { bold, dim, green, wrap, yellow } from '../output.ts';

/** Tells the story at the terminal, or nothing at all when one JSON object is wanted. */
export interface Telling {
  title(text: string): void;
  chapter(text: string): void;
  /** Something that happened and is as it should be. */
  fact(text: string): void;
  /** Something that was refused or found, as it should be. */
  caught(text: string): void;
  aside(text: string): void;
  block(text: string): void;
}

const width = 96;

export function tell(silent: boolean): Telling {
  const started = Date.now();
  let chapters = 0;
  const say = (text: string) => {
    if (!silent) process.stdout.write(`${text}\n`);
  };
  return {
    title: (text) => say(`\n${bold(text)}`),
    chapter(text) {
      chapters++;
      const seconds = ((Date.now() - started) / 1000).toFixed(1);
      say(`\n${bold(`${chapters}. ${text}`)} ${dim(`${seconds} s`)}`);
    },
    fact: (text) => say(mark(green('✔'), text)),
    caught: (text) => say(mark(yellow('●'), text)),
    aside: (text) => say(dim(wrap(text, width - 5, '     '))),
    block: (text) => say(`\n${text}`),
  };
}

function mark(sign: string, text: string): string {
  return `   ${sign} ${wrap(text, width - 5, '     ').trimStart()}`;
}
