import type { Command } from 'commander';

/** A command of the CLI that a text names, with the options given to it. */
export interface Named {
  /** As in `deed key rotate`; a group alone when no command of it is named. */
  readonly name: string;
  readonly command: Command;
  readonly options: readonly string[];
}

/** The full names of the commands that do something, in the order of the table. */
export function leaves(command: Command, name = ''): string[] {
  return command.commands.length === 0
    ? [name]
    : command.commands.flatMap((one) => leaves(one, `${name} ${one.name()}`.trim()));
}

/**
 * The commands in a text: what follows the word `deed` where a command may stand, up to the end of that command.
 * @throws Error for a name that the table does not have
 */
export function namedIn(text: string, program: Command): Named[] {
  const joined = text.replaceAll(/\\\n/g, ' ');
  return [...joined.matchAll(/(?:^|[`$;&|(] *)deed ((?:(?!&&|[`;|)\n#]).)+)/gm)].map(([, rest = '']) => {
    const words = rest.split(' -- ')[0]?.split(/\s+/).filter(Boolean) ?? [];
    return found(words, program, []);
  });
}

function found(words: readonly string[], command: Command, path: readonly string[]): Named {
  const [word = '', ...rest] = words;
  const next = command.commands.find((one) => one.name() === word);
  if (next) return found(rest, next, [...path, word]);
  const fallback = defaultOf(command);
  const isOption = word.startsWith('-');
  if (path.length === 0 && !isOption && word !== 'help') throw new Error(`there is no command deed ${word}`);
  if (fallback && word !== '' && !word.includes('|')) return found(words, fallback, [...path, fallback.name()]);
  if (command.commands.length > 0 && path.length > 0 && word !== '' && !isOption)
    throw new Error(`there is no command deed ${[...path, word].join(' ')}`);
  const options = words.filter((one) => /^--?[a-z]/.test(one)).map((one) => one.replace(/[,.;:)]+$/, ''));
  return { name: path.join(' '), command, options };
}

/** The command that a group runs when none of it is named. */
function defaultOf(command: Command): Command | undefined {
  const { _defaultCommandName: name } = command as unknown as { readonly _defaultCommandName?: string | null };
  return command.commands.find((one) => one.name() === name);
}

/** The options given that the command does not have. */
export function unknownOptions({ command, options }: Named): string[] {
  const known = ['--help', '--version', ...command.options.flatMap(({ short, long }) => [short, long])];
  return options.filter((option) => !known.includes(option.split('=')[0]));
}
