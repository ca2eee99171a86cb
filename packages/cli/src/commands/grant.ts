import { Command } from 'commander';
import { Client } from '../client.ts';
import { type CommonOptions, command } from '../options.ts';
import { print, table } from '../output.ts';

interface GrantView {
  readonly id: string;
  readonly verdict: string;
  readonly agent: string;
  readonly grade: string;
  readonly ceiling: string;
  readonly expiresMs: number;
}

export function grantCommand(): Command {
  const list = command('list', 'the grants in force').action(async (flags: CommonOptions) => {
    const { grants } = await new Client(flags.data).get<{ grants: GrantView[] }>('/v1/grants');
    print(grants, flags.json, () => grantTable(grants));
  });
  const waive = command('waive', 'let everything that policy allows go on without proof, and say so on each act')
    .option('--days <n>', 'for how long', '30')
    .action(async (flags: CommonOptions & { days: string }) => {
      const grant = await new Client(flags.data).post<GrantView>('/v1/grants/waive', { days: Number(flags.days) });
      print(grant, flags.json, () => grantTable([grant]));
    });
  return new Command('grant').description('what agents have earned').addCommand(list).addCommand(waive);
}

function grantTable(grants: readonly GrantView[]): string {
  const rows = grants.map(({ id, verdict, agent, grade, ceiling, expiresMs }) => [
    id,
    verdict,
    agent,
    grade,
    ceiling,
    new Date(expiresMs).toISOString(),
  ]);
  return table(['grant', 'verdict', 'agent', 'grade', 'ceiling', 'until'], rows);
}
