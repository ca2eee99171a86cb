import { fsck } from '@deed/server';
import { Command } from 'commander';
import { Client } from '../client.ts';
import { type CommonOptions, command } from '../options.ts';
import { green, print, red } from '../output.ts';
import { witnessCommand } from './witness.ts';

export function logCommand(): Command {
  return new Command('log')
    .description('the log itself')
    .addCommand(checkpoint())
    .addCommand(check())
    .addCommand(witnessCommand());
}

function checkpoint(): Command {
  return command('checkpoint', 'the newest published checkpoint').action(async (flags: CommonOptions) => {
    const note = await new Client(flags.data).text('/log/checkpoint');
    print({ note }, flags.json, () => note.trimEnd());
  });
}

function check(): Command {
  return command(
    'fsck',
    'derive everything again from the entries, and name what differs; also while the server runs',
  ).action(async (flags: CommonOptions) => {
    const report = await fsck(flags.data);
    const serious = report.problems.filter(({ code }) => code !== 'unfinished');
    print(report, flags.json, () =>
      [
        ...report.problems.map(({ code, where, what }) =>
          code === 'unfinished' ? `${where}: ${what}; the next start puts it right` : red(`${where}: ${what}`),
        ),
        report.ok
          ? green(`Sound: ${report.entries} entries, published up to ${report.publishedSize}.`)
          : red(`${serious.length} problems.`),
      ].join('\n'),
    );
    process.exitCode = report.ok ? 0 : 1;
  });
}
