import { resolve } from 'node:path';
import { Command } from 'commander';
import { Client } from '../client.ts';
import { type CommonOptions, command } from '../options.ts';
import { bold, counted, green, print, table, wrap, yellow } from '../output.ts';

export interface FindingView {
  readonly finding: string;
  readonly task: string | null;
  readonly type: string;
  readonly severity: string;
  readonly why: string;
  readonly todo: string;
}

export interface ReconciledView {
  readonly task: string;
  readonly confirmed: readonly string[];
  readonly pending: number;
  readonly findings: readonly FindingView[];
}

interface SourceFlags extends CommonOptions {
  readonly dir: string;
  readonly forgeUrl?: string;
  readonly adminUrl?: string;
  readonly adminTokenFile?: string;
}

export function reconcileCommand(): Command {
  return command('reconcile', "hold a task's receipts against the other systems' own records")
    .argument('<task>', 'its id')
    .action(async (task: string, flags: CommonOptions) => {
      const result = await new Client(flags.data).post<ReconciledView>(`/v1/tasks/${task}/reconcile`);
      print(result, flags.json, () =>
        [
          ...result.confirmed.map((action) => green(`confirmed  ${action}`)),
          ...result.findings.map(findingText),
          `${result.confirmed.length} newly confirmed, ${result.pending} pending, ${counted(result.findings.length, 'finding')}.`,
        ].join('\n'),
      );
    });
}

export function findingCommand(): Command {
  return new Command('finding').description('disagreements between receipts and records').addCommand(
    command('list', 'all findings, or those about one task')
      .option('--task <id>', 'only those about this task')
      .action(async (flags: CommonOptions & { task?: string }) => {
        const query = flags.task === undefined ? '' : `?task=${flags.task}`;
        const { findings } = await new Client(flags.data).get<{ findings: FindingView[] }>(`/v1/findings${query}`);
        print(findings, flags.json, () =>
          findings.length === 0 ? 'No findings.' : findings.map(findingText).join('\n'),
        );
      }),
  );
}

export function sourceCommand(): Command {
  const add = command('add', "read another system's own log; a git forge is also given a credential for each task")
    .argument('<id>', 'what statements call it')
    .requiredOption('--dir <dir>', 'the folder with the records of the git forge')
    .option('--forge-url <url>', 'where its repositories are, for the gateway')
    .option('--admin-url <url>', 'where its credentials are administered')
    .option('--admin-token-file <file>', 'file with the token of its administration')
    .action(async (id: string, flags: SourceFlags) => {
      const { forgeUrl, adminUrl, adminTokenFile } = flags;
      const isForge = forgeUrl !== undefined && adminUrl !== undefined && adminTokenFile !== undefined;
      const forge = isForge
        ? { forge: { name: id, url: forgeUrl, adminUrl, adminTokenFile: resolve(adminTokenFile) } }
        : {};
      const source = await new Client(flags.data).post('/v1/sources', {
        id,
        kind: 'git-forge',
        config: { dir: resolve(flags.dir) },
        ...forge,
      });
      print(
        source,
        flags.json,
        () =>
          `Added ${bold(id)}.${isForge ? ' From now on each task that names a repository gets a credential there.' : ''}`,
      );
    });
  const list = command('list', 'the sources and how far they were read').action(async (flags: CommonOptions) => {
    type View = { id: string; kind: string; watermark: string | null };
    const { sources } = await new Client(flags.data).get<{ sources: View[] }>('/v1/sources');
    print(sources, flags.json, () =>
      table(
        ['source', 'kind', 'read up to'],
        sources.map(({ id, kind, watermark }) => [id, kind, watermark ?? 'never']),
      ),
    );
  });
  return new Command('source').description("other systems' own logs").addCommand(add).addCommand(list);
}

function findingText({ type, severity, why, todo, finding }: FindingView): string {
  return `${yellow(bold(type))} (${severity})  ${finding}\n${wrap(why, 94, '  ')}\n${wrap(`To do: ${todo}`, 94, '  ')}`;
}
