import { confirm, isCancel } from '@clack/prompts';
import { ServerError } from '@deed/server';
import type { Command } from 'commander';
import { Client } from '../client.ts';
import { type CommonOptions, command } from '../options.ts';
import { bold, counted, print, yellow } from '../output.ts';

interface Plan {
  readonly scope: 'task' | 'payloads';
  readonly payloads: readonly string[];
  readonly copies: readonly string[];
}

interface Erased extends Plan {
  readonly statement: string;
  readonly complete: boolean;
}

interface EraseFlags extends CommonOptions {
  readonly reason: string;
  readonly payload?: readonly string[];
  readonly by?: string;
  readonly yes: boolean;
}

export function eraseCommand(): Command {
  return command('erase', 'destroy what is kept of a closed task; its statements and proofs stay')
    .argument('<task>', 'the task, or `deployment` for payloads of no task')
    .requiredOption('--reason <text>', 'why; it stays in the log for ever, so name nobody in it')
    .option('--payload <name...>', 'only these payloads or events')
    .option('--by <person>', 'id of the operator who orders it, if there are several')
    .option('--yes', 'do not ask', false)
    .action(async (task: string, flags: EraseFlags) => {
      const client = new Client(flags.data);
      const payloads = flags.payload ? { payloads: flags.payload } : {};
      const plan = await client.post<Plan>(`/v1/tasks/${task}/erasure`, payloads);
      if (!flags.json) process.stdout.write(`${planText(task, plan)}\n`);
      if (!flags.yes && !(await sure())) throw new ServerError('request', 'nothing was erased');
      const by = flags.by === undefined ? {} : { by: flags.by };
      const order = { reason: flags.reason, ...payloads, ...by };
      const erased = await client.post<Erased>(`/v1/tasks/${task}/erase`, order);
      print(erased, flags.json, () => erasedText(task, erased));
    });
}

function planText(task: string, plan: Plan): string {
  const { scope, copies } = plan;
  const what =
    scope === 'task' ? `the key of ${bold(task)} and ${payloadsText(plan)}` : `${payloadsText(plan)} of ${bold(task)}`;
  const reach =
    copies.length === 0
      ? 'No exported case holds a copy of them.'
      : yellow(
          `Cannot be reached, and stay readable: ${counted(copies.length, 'exported case')}\n  ${copies.join('\n  ')}`,
        );
  return `To be destroyed for good: ${what}.\n${reach}`;
}

function payloadsText({ payloads }: Plan): string {
  return counted(payloads.length, 'payload');
}

function erasedText(task: string, erased: Erased): string {
  const { scope, statement, complete } = erased;
  const what = scope === 'task' ? task : `${payloadsText(erased)} of ${task}`;
  const rest = complete
    ? ''
    : yellow('\nAnother program reads the database: the last traces go within the hour, or at the next start.');
  return `Erased ${what}, statement ${statement}.${rest}`;
}

async function sure(): Promise<boolean> {
  if (!process.stdin.isTTY)
    throw new ServerError('request', 'there is no terminal to ask at: read it, then give --yes');
  const answer = await confirm({ message: bold('Destroy it? Nobody can bring it back.'), initialValue: false });
  return !isCancel(answer) && answer;
}
