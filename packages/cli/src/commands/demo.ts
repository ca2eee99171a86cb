import { confirm, isCancel } from '@clack/prompts';
import { layerNames, type Report } from '@deed/evidence';
import { Command } from 'commander';
import { Rejected, tellStory } from '../demo/story.ts';
import { tell } from '../demo/telling.ts';
import { makeWorld } from '../demo/world.ts';
import { bold, wrap, wrappedTable } from '../output.ts';
import { verdictText } from '../report-text.ts';
import { visible } from '../visible.ts';

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
        else telling.block(closing(visible(report), caseFile, world.trust, world.data));
      } catch (error) {
        if (!(error instanceof Rejected)) throw error;
        telling.caught(error.message);
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
  const folder = `${data.replace(/\/data$/, '')}/`;
  const rows = report.actions.map(({ agent, authority, resource, result, tier }) => [
    agent.split('/')[4] ?? agent,
    `${tier === null ? '' : `${tier}: `}${authority}`,
    resource.replaceAll(folder, ''),
    result.replaceAll(folder, '').replace(/, sha256 [0-9a-f]+/, ''),
  ]);
  return [
    `${bold('The four answers for each action')}, from the case alone: ${verdictText(report.verdict)}`,
    wrappedTable(['agent', 'under what authority', 'resource', 'result'], rows, [13, 28, 29, 29]),
    '',
    bold('Layers that a one-user machine lacks'),
    ...missingLayers(report).map((line) => wrap(line, 92, '  ')),
    ...report.limits.map((limit) => wrap(limit, 92, '  ')),
    '',
    bold('Look further'),
    `  node bin/deed.mjs verify ${caseFile} --trust ${trust}`,
    `  node bin/deed.mjs up --data ${data} --listen 127.0.0.1:8080`,
    '    and while it is up: http://127.0.0.1:8080/log/checkpoint, and in another terminal',
    `    node bin/deed.mjs finding list --data ${data}`,
  ].join('\n');
}

/** Each missing layer once, with the reason that its actions share. */
function missingLayers({ actions }: Report): string[] {
  const lines = actions.flatMap(({ layers }) =>
    layerNames.flatMap((name) => (layers[name].state === 'missing' ? [`${name}: ${layers[name].why}`] : [])),
  );
  return [...new Set(lines)].filter((line) => /^(separation|authority): /.test(line));
}
