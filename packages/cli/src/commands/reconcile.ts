import { join } from 'node:path';
import { encodeFindingWord, type FindingWord } from '@deed/evidence';
import { Command } from 'commander';
import { Client } from '../client.ts';
import { type CommonOptions, command } from '../options.ts';
import { bold, counted, green, print, wrap, yellow } from '../output.ts';
import { personOf, type SignerFlags, signerOf } from '../person.ts';
import { defaultKeyFolder } from './init.ts';

export interface FindingView {
  readonly finding: string;
  readonly task: string | null;
  readonly type: string;
  readonly severity: string;
  readonly why: string;
  readonly todo: string;
  readonly state: string;
  readonly until: string | null;
}

export interface ReconciledView {
  readonly task: string;
  readonly confirmed: readonly string[];
  readonly pending: number;
  readonly findings: readonly FindingView[];
}

export function reconcileCommand(): Command {
  return command('reconcile', "hold receipts against the other systems' own records")
    .argument('[task]', 'its id; without it, each task of which there is something new')
    .action(async (task: string | undefined, flags: CommonOptions) => {
      const client = new Client(flags.data);
      if (task !== undefined) {
        const result = await client.post<ReconciledView>(`/v1/tasks/${task}/reconcile`);
        print(result, flags.json, () => judgedText(result));
        return;
      }
      const swept = await client.post<{ tasks: ReconciledView[]; foreign: FindingView[] }>('/v1/reconcile');
      print(swept, flags.json, () =>
        [
          ...swept.foreign.map(findingText),
          ...swept.tasks.map((each) => `${bold(each.task)}\n${judgedText(each)}`),
          `${counted(swept.tasks.length, 'task')} with something new.`,
        ].join('\n'),
      );
    });
}

function judgedText({ confirmed, findings, pending }: ReconciledView): string {
  return [
    ...confirmed.map((action) => green(`confirmed  ${action}`)),
    ...findings.map(findingText),
    `${confirmed.length} newly confirmed, ${pending} pending, ${counted(findings.length, 'finding')}.`,
  ].join('\n');
}

export function findingCommand(): Command {
  return new Command('finding')
    .description('disagreements between receipts and records')
    .addCommand(
      command('list', 'all findings, or those about one task')
        .option('--task <id>', 'only those about this task')
        .option('--open', 'only those that nothing was said of')
        .action(async (flags: CommonOptions & { task?: string; open?: boolean }) => {
          const all = await findingsOf(flags, flags.task);
          const findings = all.filter(({ state }) => flags.open !== true || state === 'open');
          print(findings, flags.json, () =>
            findings.length === 0 ? 'No findings.' : findings.map(findingText).join('\n'),
          );
        }),
    )
    .addCommand(said('explain', 'explained', 'it happened for a reason, and is as it should be'))
    .addCommand(
      said('accept', 'accepted', 'accept its risk for a time').requiredOption('--days <number>', 'for how long'),
    )
    .addCommand(said('resolve', 'resolved', 'what it names was mended'))
    .addCommand(said('reopen', 'open', 'take it up again'));
}

async function findingsOf(flags: CommonOptions, task?: string): Promise<readonly FindingView[]> {
  const query = task === undefined ? '' : `?task=${task}`;
  return (await new Client(flags.data).get<{ findings: FindingView[] }>(`/v1/findings${query}`)).findings;
}

interface SaidFlags extends CommonOptions, SignerFlags {
  readonly reason: string;
  readonly days?: string;
}

/** One signed step in the life of a finding. */
function said(name: string, state: FindingWord['state'], description: string): Command {
  return command(name, `${description}; signed by you`)
    .argument('<finding>', 'its id')
    .requiredOption('--reason <text>', 'why; it stays in the log for ever, so name nobody in it')
    .option('--key <file>', 'your sealed key', join(defaultKeyFolder(), 'person.key.json'))
    .option('--ssh-agent', 'sign with a key in your ssh-agent instead', false)
    .option('--passphrase-file <file>', 'read the passphrase from a file')
    .action(async (finding: string, flags: SaidFlags) => {
      const client = new Client(flags.data);
      const signer = await signerOf(client, flags);
      const { origin } = await client.get<{ origin: string }>('/v1/status');
      const { id: person } = await personOf(client, signer);
      const now = Date.now();
      const until = flags.days === undefined ? null : new Date(now + Number(flags.days) * 86_400_000).toISOString();
      const time = new Date(now).toISOString();
      const bytes = encodeFindingWord({ state, origin, finding, until, reason: flags.reason, person, time });
      const changed = await client.post<FindingView>('/v1/findings', {
        word: await signer.word('deed-finding-v1', bytes),
      });
      print(changed, flags.json, () => findingText(changed));
    });
}

function findingText({ type, severity, why, todo, finding, state, until }: FindingView): string {
  const now = state === 'open' ? '' : `  ${green(state)}${until === null ? '' : ` until ${until}`}`;
  return `${yellow(bold(type))} (${severity})  ${finding}${now}\n${wrap(why, 94, '  ')}\n${wrap(`To do: ${todo}`, 94, '  ')}`;
}
