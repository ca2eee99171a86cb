import { Command } from 'commander';
import { Client } from '../client.ts';
import { type CommonOptions, command } from '../options.ts';
import { print, table, yellow } from '../output.ts';

interface Run {
  readonly due: readonly {
    readonly task: string;
    readonly tier: string;
    readonly days: number;
    readonly closed: string;
  }[];
  readonly erased: readonly string[];
  readonly stopped: string | null;
}

export function retentionCommand(): Command {
  return new Command('retention').description('erase what was kept long enough').addCommand(run());
}

function run(): Command {
  return command('run', 'erase the closed tasks whose time has come, as the server does every hour')
    .option('--dry-run', 'only show them', false)
    .option('--accept-clock', "the server's clock moved far since the last run, and it is right", false)
    .action(async (flags: CommonOptions & { readonly dryRun: boolean; readonly acceptClock: boolean }) => {
      const { dryRun, acceptClock } = flags;
      const result = await new Client(flags.data).post<Run>('/v1/retention', { dryRun, acceptClock });
      print(result, flags.json, () => runText(result, dryRun));
    });
}

function runText({ due, erased, stopped }: Run, dryRun: boolean): string {
  const gone = new Set(erased);
  const rows = due.map(({ task, tier, days, closed }) => [
    task,
    closed,
    `${tier}, ${days} days`,
    gone.has(task) ? 'erased' : dryRun ? 'would be erased' : 'kept',
  ]);
  return [
    rows.length === 0 ? 'The time of no task has come.' : table(['task', 'closed', 'rule', ''], rows),
    ...(stopped === null ? [] : [yellow(`Stopped: ${stopped}`)]),
  ].join('\n');
}
