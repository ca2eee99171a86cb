import { realpathSync } from 'node:fs';
import { ServerError, toolKinds } from '@deed/server';
import { Command, Option } from 'commander';
import { Client } from '../client.ts';
import { type CommonOptions, command } from '../options.ts';
import { bold, print, table } from '../output.ts';

interface ToolView {
  readonly name: string;
  readonly kind: string;
  readonly argv: readonly string[];
  readonly executable: string;
}

interface PinView {
  readonly server: string;
  readonly tool: string;
  readonly definition: string;
  readonly changed: boolean;
}

export function toolCommand(): Command {
  return new Command('tool')
    .description('register tool servers and accept changed tools')
    .addCommand(add())
    .addCommand(list())
    .addCommand(accept());
}

function add(): Command {
  return command('add', 'register a tool server: only registered commands are ever started')
    .argument('<name>', 'what policy and tasks call it')
    .argument('<command...>', 'the whole command, after --')
    .addOption(
      new Option('--kind <kind>', 'what the gateway knows of its arguments').choices(toolKinds).default('plain'),
    )
    .option('--env <name=value...>', 'environment for the tool, which otherwise gets an empty one')
    .action(async (name: string, argv: string[], flags: CommonOptions & { kind: string; env?: string[] }) => {
      const env = Object.fromEntries((flags.env ?? []).map(pair));
      const tool = await new Client(flags.data).post<ToolView>('/v1/tools', {
        name,
        kind: flags.kind,
        argv: absolute(argv),
        env,
      });
      print(
        tool,
        flags.json,
        () => `Registered ${bold(tool.name)} (${tool.kind}), files ${tool.executable.slice(0, 16)}…`,
      );
    });
}

function pair(text: string): readonly [string, string] {
  const at = text.indexOf('=');
  if (at < 1) throw new ServerError('request', `--env wants NAME=VALUE, not ${text}`);
  return [text.slice(0, at), text.slice(at + 1)];
}

/** Files among the words become absolute, so that the server finds the same ones from its own folder. */
export function absolute(argv: readonly string[]): string[] {
  return argv.map((word) => {
    if (!word.includes('/') || word.includes('://')) return word;
    try {
      return realpathSync(word);
    } catch {
      return word;
    }
  });
}

function list(): Command {
  return command('list', 'registered tool servers and pinned tools').action(async (flags: CommonOptions) => {
    const view = await new Client(flags.data).get<{ tools: ToolView[]; pins: PinView[] }>('/v1/tools');
    print(view, flags.json, () =>
      [
        table(
          ['server', 'kind', 'command'],
          view.tools.map(({ name, kind, argv }) => [name, kind, argv.join(' ')]),
        ),
        ...(view.pins.length === 0
          ? []
          : [
              '',
              table(
                ['tool', 'definition', 'state'],
                view.pins.map(({ server, tool, definition, changed }) => [
                  `${server}/${tool}`,
                  definition.slice(0, 16),
                  changed ? 'CHANGED: refused until accepted' : 'pinned',
                ]),
              ),
            ]),
      ].join('\n'),
    );
  });
}

function accept(): Command {
  return command('accept', 'accept the definition of a tool that was seen last')
    .argument('<server>', 'the name it was registered with')
    .argument('<tool>', 'its tool')
    .action(async (server: string, tool: string, flags: CommonOptions) => {
      const { definition } = await new Client(flags.data).post<{ definition: string }>('/v1/tools/accept', {
        server,
        tool,
      });
      print({ server, tool, definition }, flags.json, () => `Pinned ${server}/${tool} at ${definition.slice(0, 16)}…`);
    });
}
