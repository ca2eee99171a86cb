import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { deedProgram } from '../src/program.ts';

/** Every command of the table, with its full name. */
function all(command: Command, name: string): { readonly name: string; readonly command: Command }[] {
  return [{ name, command }, ...command.commands.flatMap((one) => all(one, `${name} ${one.name()}`))];
}

describe('the command table', () => {
  const commands = all(deedProgram(), 'deed');

  it('says of every command, argument and option what it is', () => {
    expect(commands.length).toBeGreaterThan(60);
    const silent = commands.flatMap(({ name, command }) =>
      [
        { what: '', description: command.description() },
        ...command.registeredArguments.map((one) => ({ what: one.name(), description: one.description })),
        ...command.options.map((one) => ({ what: one.flags, description: one.description })),
      ].flatMap(({ what, description }) => (description === '' ? [`${name} ${what}`] : [])),
    );
    expect(silent).toEqual([]);
  });

  it('gives --json to every command that does something, and a data folder to who needs one', () => {
    const leaves = commands.filter(({ command }) => command.commands.length === 0);
    const without = (flag: string) =>
      leaves.filter(({ command }) => !command.options.some(({ long }) => long === flag)).map(({ name }) => name);
    expect(without('--json')).toEqual([]);
    expect(without('--data')).toEqual([
      'deed demo',
      'deed case page',
      'deed case bundle',
      'deed case graph',
      'deed verify',
      'deed policy check',
      'deed policy test',
      'deed log verify',
      'deed log audit',
      'deed log witness init',
      'deed log witness trust',
      'deed log witness run',
      'deed backup verify',
    ]);
  });
});
