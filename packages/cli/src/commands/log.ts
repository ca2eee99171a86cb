import { fsck, startWitness } from '@deed/server';
import { Command } from 'commander';
import { Client } from '../client.ts';
import { type CommonOptions, command } from '../options.ts';
import { green, print, red } from '../output.ts';
import { untilEnded } from '../process.ts';
import { tsaCommand } from './tsa.ts';

export function logCommand(): Command {
  return new Command('log')
    .description('the log itself')
    .addCommand(checkpoint())
    .addCommand(check())
    .addCommand(witness())
    .addCommand(tsaCommand());
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

function witness(): Command {
  return new Command('witness')
    .description('run a witness over a state folder of its own')
    .requiredOption('--state <dir>', 'its state folder, outside every data folder')
    .option('--port <n>', 'port on 127.0.0.1 (default: any free one)', '0')
    .option('--with-parent', 'end when the standard input closes', false)
    .option('--json', 'print JSON', false)
    .action(async (flags: { state: string; port: string; withParent: boolean; json: boolean }) => {
      const running = await startWitness({ stateFolder: flags.state, port: Number(flags.port) });
      const { url, vkey } = running;
      process.stdout.write(flags.json ? `${JSON.stringify({ url, vkey })}\n` : `Witness at ${url}\n  vkey  ${vkey}\n`);
      await untilEnded(flags.withParent);
      await running.close();
    });
}
