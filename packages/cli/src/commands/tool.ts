import { readFileSync, realpathSync } from 'node:fs';
import { type Operation, operation, placeholderOf, ServerError, toolKinds } from '@deed/server';
import { Command, Option } from 'commander';
import { Client } from '../client.ts';
import { type CommonOptions, command } from '../options.ts';
import { bold, print, table } from '../output.ts';
import { pair } from './broker.ts';

interface ToolView {
  readonly name: string;
  readonly kind: string;
  readonly argv: readonly string[];
  readonly url: string | null;
  readonly executable: string;
  readonly credentials: readonly { readonly broker: string }[];
  readonly operations: readonly { readonly name: string }[];
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
    .addCommand(renew())
    .addCommand(remove())
    .addCommand(accept())
    .addCommand(effects());
}

interface AddFlags extends CommonOptions {
  readonly kind: string;
  readonly env?: readonly string[];
  readonly credential?: readonly string[];
  readonly cwd?: string;
  readonly url?: string;
  readonly header?: readonly string[];
  readonly operation?: readonly string[];
  readonly implicit?: boolean;
}

function add(): Command {
  return command(
    'add',
    'register a tool server: only registered commands are ever started, and registered addresses called',
  )
    .argument('<name>', 'what policy and tasks call it')
    .argument('[command...]', 'the whole command, after --')
    .option('--url <url>', 'in the place of a command: where it is reached by Streamable HTTP')
    .option(
      '--header <name=value...>',
      `what each request to the address carries; ${placeholderOf('NAME')} stands for a variable of its credentials`,
    )
    .option(
      '--operation <name=request...>',
      'the address is of an HTTP service, and this is a request that agents may have made of it: NAME="METHOD /path/{argument}", and " form" for a form in the place of JSON',
    )
    .addOption(
      new Option('--kind <kind>', 'what the gateway knows of its arguments').choices(toolKinds).default('plain'),
    )
    .option('--cwd <dir>', 'where it starts; without it in an empty folder of its own')
    .option('--env <name=value...>', 'environment for the tool, which otherwise gets an empty one')
    .option(
      '--credential <broker...>',
      "give it the task's credential of this broker: BROKER, or BROKER=VARIABLE:PART,… for other variables than the broker's",
    )
    .option('--implicit', 'sessions that name no task are given its credentials too: for static secrets alone')
    .action(async (name: string, argv: string[], flags: AddFlags) => {
      if ((argv.length === 0) === (flags.url === undefined))
        throw new ServerError(
          'request',
          'say either the command of the tool server, after --, or its address: --url URL',
        );
      const env = Object.fromEntries((flags.env ?? []).map((text) => pair(text, '--env')));
      const tool = await new Client(flags.data).post<ToolView>('/v1/tools', {
        name,
        kind: flags.kind,
        ...(flags.url === undefined ? { argv: absolute(argv), env } : { url: flags.url }),
        ...(flags.header === undefined
          ? {}
          : { headers: Object.fromEntries(flags.header.map((text) => pair(text, '--header'))) }),
        ...(flags.operation === undefined ? {} : { operations: flags.operation.map(operationOf) }),
        ...(flags.cwd === undefined ? {} : { cwd: realpathSync(flags.cwd) }),
        ...(flags.credential === undefined
          ? {}
          : {
              credentials: flags.credential.map((text) => ({
                ...credentialOf(text),
                ...(flags.implicit ? { implicit: true } : {}),
              })),
            }),
      });
      print(
        tool,
        flags.json,
        () =>
          `Registered ${bold(tool.name)} (${tool.kind}), ${tool.url === null ? 'files' : 'address'} ${tool.executable.slice(0, 16)}…`,
      );
    });
}

/** `NAME=METHOD /path`, and ` form` behind it. */
function operationOf(text: string): Operation {
  const [name, request] = pair(text, '--operation');
  const [method, path, body = 'json', ...more] = request.split(' ');
  const parsed = operation.safeParse({ name, method, path, body });
  if (more.length === 0 && parsed.success) return parsed.data;
  throw new ServerError('request', `--operation ${text}: write NAME="METHOD /path/{argument}", and " form" for a form`);
}

/** `BROKER`, or `BROKER=VARIABLE:PART,…`. */
function credentialOf(text: string) {
  if (!text.includes('=')) return { broker: text };
  const [broker, mapping] = pair(text, '--credential');
  const env = Object.fromEntries(mapping.split(',').map((one) => pair(one.replace(':', '='), '--credential')));
  return { broker, env };
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
    const given = view.tools.some(({ credentials }) => credentials.length > 0);
    print(view, flags.json, () =>
      [
        table(
          ['server', 'kind', ...(given ? ['credential'] : []), 'command'],
          view.tools.map(({ name, kind, argv, url, credentials, operations }) => [
            ...[
              name,
              kind,
              ...(given ? [credentials.map(({ broker }) => broker).join(' ') || '-'] : []),
              [...(url === null ? argv : [url]), ...operations.map((each) => each.name)].join(' '),
            ],
          ]),
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

function renew(): Command {
  return command('renew', 'register the files that a tool server has now, after you looked at them')
    .argument('<name>', 'the name it was registered with')
    .action(async (name: string, flags: CommonOptions) => {
      const tool = await new Client(flags.data).post<ToolView>(`/v1/tools/${name}/renew`);
      print(tool, flags.json, () => `Registered ${bold(name)} (${tool.kind}), files ${tool.executable.slice(0, 16)}…`);
    });
}

function remove(): Command {
  return command('remove', 'take a tool server out: it is started no more')
    .argument('<name>', 'the name it was registered with')
    .action(async (name: string, flags: CommonOptions) => {
      const removed = await new Client(flags.data).post(`/v1/tools/${name}/remove`);
      print(removed, flags.json, () => `Removed ${bold(name)}. What was pinned of it stays pinned.`);
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

interface ContractView {
  readonly server: string;
  readonly statement: string;
  readonly contract: {
    readonly version: string;
    readonly effects: readonly { readonly operations: readonly string[] }[];
  };
}

function effects(): Command {
  return command('effects', "say what a server's tools are to leave in other systems' records, or list what was said")
    .argument('[file]', 'a contract')
    .action(async (file: string | undefined, flags: CommonOptions) => {
      const client = new Client(flags.data);
      if (file !== undefined) {
        const contract = readFileSync(file, 'utf8');
        const declared = await client.post<{ server: string; statement: string }>('/v1/contracts', { contract });
        print(
          declared,
          flags.json,
          () => `The contract of ${bold(declared.server)} is in force: ${declared.statement}`,
        );
        return;
      }
      const { contracts } = await client.get<{ contracts: ContractView[] }>('/v1/contracts');
      const operationsOf = ({ contract }: ContractView) => contract.effects.flatMap(({ operations }) => operations);
      print(contracts, flags.json, () =>
        contracts.length === 0
          ? 'No contract was declared.'
          : table(
              ['server', 'version', 'expects'],
              contracts.map((each) => [each.server, each.contract.version, operationsOf(each).join(' ') || '-']),
            ),
      );
    });
}
