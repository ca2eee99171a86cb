import { confirm, isCancel } from '@clack/prompts';
import { layerNames, type Report } from '@deed/evidence';
import { Command } from 'commander';
import { tellStory } from '../demo/story.ts';
import { tell } from '../demo/telling.ts';
import { makeWorld } from '../demo/world.ts';
import { bold, table } from '../output.ts';
import { verdictText } from '../report-text.ts';

export function demoCommand(): Command {
  return new Command('demo')
    .description('an agent acts through Deed, a hidden side effect is caught, and one file proves it: under a minute')
    .option('--ask', 'read and sign the approval yourself; otherwise the demo plays the person', false)
    .option('--json', 'print one JSON object and nothing else', false)
    .action(async (flags: { ask: boolean; json: boolean }) => {
      const telling = tell(flags.json);
      telling.title('Deed: a release agent, a hidden push, and a file that proves both');
      telling.aside(
        'Real parts: the official MCP client, two MCP servers from npm, git over HTTP. No network, no root.',
      );
      if (!flags.ask)
        telling.aside('The demo plays the person who approves. Run it with --ask to read and sign yourself.');
      const world = await makeWorld();
      try {
        const told = await tellStory({ world, telling, ask: flags.ask ? askAtTerminal : null });
        const { report, caseFile } = told;
        if (flags.json) process.stdout.write(`${JSON.stringify(summary(report, caseFile, world.trust, world.data))}\n`);
        else telling.block(closing(report, caseFile, world.trust, world.data));
      } finally {
        await world.end();
      }
    });
}

async function askAtTerminal(): Promise<'approve' | 'reject'> {
  const answer = await confirm({ message: 'Approve exactly this, once?', initialValue: false });
  return !isCancel(answer) && answer ? 'approve' : 'reject';
}

function summary({ verdict, actions, findings, checkpoint }: Report, caseFile: string, trust: string, data: string) {
  return {
    case: caseFile,
    trust,
    data,
    verdict,
    actions: actions.map(({ agent, authority, resource, result, layers }) => ({
      agent,
      authority,
      resource,
      result,
      layers,
    })),
    findings,
    checkpoint,
  };
}

function closing(report: Report, caseFile: string, trust: string, data: string): string {
  const rows = report.actions.map(({ agent, authority, resource, result, layers }) => [
    short(agent.split('/').at(-1) ?? agent, 14),
    short(authority, 44),
    short(resource.replaceAll(`${data.replace(/\/data$/, '')}/`, ''), 44),
    short(result, 46),
    String(layerNames.filter((name) => layers[name].state === 'present').length),
  ]);
  const missing = new Map(
    report.actions.flatMap(({ layers }) =>
      layerNames.filter((name) => layers[name].state === 'missing').map((name) => [name, layers[name].why] as const),
    ),
  );
  return [
    `${bold('The four answers')} ${verdictText(report.verdict)}`,
    table(['agent', 'authority', 'resource', 'result', 'layers'], rows),
    '',
    `${bold('What a one-user machine lacks')}`,
    `  ${missing.get('separation') ?? 'nothing'}`,
    ...report.limits.map((limit) => `  ${limit}`),
    '',
    bold('Look further'),
    `  node bin/deed.mjs verify ${caseFile} --trust ${trust}`,
    `  node bin/deed.mjs up --data ${data} --listen 127.0.0.1:8080     the log is then at http://127.0.0.1:8080/log/checkpoint`,
    `  node bin/deed.mjs finding list --data ${data}                   while it is up`,
  ].join('\n');
}

function short(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, width - 1)}…`;
}
