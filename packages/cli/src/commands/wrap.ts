import { sha256, toHex } from '@deed/evidence';
import { ServerError, type Wrap, type Wrapped, type WrapServer } from '@deed/server';
import type { Command } from 'commander';
import { type AgentFlags, agentOptions, identityOf, lastingKey } from '../agent-flags.ts';
import { Client } from '../client.ts';
import { type CommonOptions, command } from '../options.ts';
import { bold, counted, print, table, yellow } from '../output.ts';
import { type OwnFile, readOwnFile, replaceOwnFile } from '../own-file.ts';
import { selfCommand } from '../process.ts';
import { addressOf, behindDeed, dialectOf, stdioOf } from '../wrap/config-file.ts';
import type { Dialect, Entry } from '../wrap/dialect.ts';
import { planWrap, type Remark } from '../wrap/plan.ts';

interface WrapFlags extends CommonOptions, AgentFlags {
  readonly secret?: readonly string[];
  readonly notSecret?: readonly string[];
  readonly open?: readonly string[];
}

const fileArgument = [
  '<file>',
  'the configuration: .mcp.json, .cursor/mcp.json, .vscode/mcp.json, config.toml',
] as const;

export function wrapCommand(): Command {
  const made = command('wrap', "have every server of an MCP client's configuration run behind Deed")
    .argument(...fileArgument)
    .option('--secret <variable...>', 'variables that hold a secret, although they do not look so')
    .option('--not-secret <variable...>', 'variables that hold none, although they look so')
    .option('--open <server...>', 'servers with an address at which nobody has to sign in');
  return agentOptions(made).action(async (file: string, flags: WrapFlags) => {
    const view = await wrap(readOwnFile(file), flags);
    print(view, flags.json, () => viewText(view));
  });
}

interface WrapView {
  readonly file: string;
  readonly servers: readonly (Pick<Wrapped, 'at' | 'tool' | 'secrets'> & { readonly command: readonly string[] })[];
  readonly left: readonly Remark[];
  readonly secrets: readonly (Remark & { readonly secret: string | null })[];
}

async function wrap(file: OwnFile, flags: WrapFlags): Promise<WrapView> {
  const { path, text } = file;
  const client = new Client(flags.data);
  await identityOf(flags, client); // a key that cannot be read is better found now
  const dialect = dialectOf(path);
  const entries = dialect.entries(text);
  if (entries.length === 0) throw new ServerError('request', `${path} names no MCP server`);
  const ours = entries.filter((entry) => behindDeed(entry) !== undefined);
  if (ours.length > 0 && (await isWrapped(client, path))) {
    throw new ServerError('request', `${path} is wrapped already: deed mcp unwrap it first, to wrap what came to it`);
  }
  const { secret = [], notSecret = [], open = [] } = flags;
  const plan = planWrap({ dialect, entries, path, env: process.env, secret, notSecret, open });
  const { left, plain } = plan;
  const remaining = plain.map((one) => ({ ...one, secret: null }));
  if (plan.servers.length === 0) return { file: path, servers: [], left, secrets: remaining };

  const original = Buffer.from(file.bytes).toString('base64');
  const { servers } = await client.post<{ servers: readonly Wrapped[] }>('/v1/wraps', {
    ...{ path, original, servers: plan.servers, left, plain },
    implicit: flags.task === undefined,
  });
  let wrapped = text;
  try {
    for (const { at, tool } of servers)
      wrapped = dialect.withStart(wrapped, at, { ...startOf(tool, client, flags), env: null });
    replaceOwnFile(file, wrapped);
  } catch (error) {
    await client.post('/v1/wraps/remove', { path });
    throw error;
  }
  await client.post('/v1/wraps/written', { path, sha256: digestOf(wrapped) });
  const values = plan.servers.flatMap((server) => server.secrets.map(({ value }) => value));
  const moved = plan.moved.map(({ variable, ...one }) => {
    const held = servers.find(({ at }) => at.join('\n') === one.at.join('\n'))?.secrets;
    return { ...one, secret: held?.find((each) => each.variable === variable)?.secret ?? null };
  });
  return {
    file: path,
    servers: servers.map(({ at, tool, secrets }, i) => ({ at, tool, secrets, command: commandOf(plan.servers[i]) })),
    left,
    secrets: [...moved, ...remaining, ...linesWith(wrapped, values)],
  };
}

function commandOf(server: WrapServer | undefined): readonly string[] {
  return typeof server?.url === 'string' ? [server.url] : (server?.argv ?? []);
}

/** What an entry starts instead of its server. */
function startOf(tool: string, client: Client, { task, key, hop }: WrapFlags) {
  const [program = '', ...rest] = selfCommand('mcp', 'run', '--data', client.dataFolder, '--socket', client.socket);
  const agent = task === undefined || key === undefined ? [] : ['--task', task, '--key', lastingKey(key)];
  return {
    command: program,
    args: [...rest, ...agent, ...(hop === undefined ? [] : ['--hop', hop]), '--server', tool],
  };
}

async function isWrapped(client: Client, path: string): Promise<boolean> {
  const { wraps } = await client.get<{ wraps: readonly { readonly path: string }[] }>('/v1/wraps');
  return wraps.some((one) => one.path === path);
}

/** A secret that stands in the file a second time, for instance in a comment. */
function linesWith(text: string, values: readonly string[]): (Remark & { readonly secret: null })[] {
  return text.split('\n').flatMap((line, i) => {
    const holds = values.some((value) => value.length >= 8 && line.includes(value));
    return holds ? [{ at: [], what: `line ${i + 1}, once more`, secret: null }] : [];
  });
}

function digestOf(bytes: string | Uint8Array): string {
  return toHex(sha256(typeof bytes === 'string' ? Buffer.from(bytes) : bytes));
}

function viewText({ file, servers, left, secrets }: WrapView): string {
  const key = (at: readonly string[]) => at.at(-1) ?? '(the file)';
  const parts = [
    servers.length === 0
      ? `Nothing to wrap in ${file}.`
      : `${bold(file)}: ${counted(servers.length, 'server')} behind Deed from the client's next start on.`,
  ];
  if (servers.length > 0)
    parts.push(
      table(
        ['server', 'registered as', 'command or address'],
        servers.map(({ at, tool, command: argv }) => [key(at), tool, argv.join(' ')]),
      ),
    );
  if (left.length > 0)
    parts.push(['Left as they are:', ...left.map(({ at, what }) => `  ${key(at)}: ${what}`)].join('\n'));
  if (secrets.length > 0)
    parts.push(
      [
        yellow('Secrets that stood here in the clear, outside of a manager (NHI2):'),
        ...secrets.map(
          ({ at, what, secret }) =>
            `  ${key(at)}: ${what}: ${secret === null ? 'stands there still' : `now sealed as ${secret}`}`,
        ),
        'Whoever could read the file may have them: end them at their systems, then deed secret rotate NAME.',
      ].join('\n'),
    );
  if (servers.length > 0) parts.push(`To undo: deed mcp unwrap ${file}`);
  return parts.join('\n\n');
}

export function unwrapCommand(): Command {
  return command('unwrap', 'put a configuration back as it was, byte for byte')
    .argument(...fileArgument)
    .option(
      '--keep-changes',
      'if it was changed since, put back its servers alone and leave the rest as it is now',
      false,
    )
    .action(async (file: string, flags: CommonOptions & { readonly keepChanges: boolean }) => {
      const now = readOwnFile(file);
      const client = new Client(flags.data);
      const record = await client.post<Wrap>('/v1/wraps/open', { path: now.path });
      const { content, restored, lost } = restoredText(now, record, flags.keepChanges);
      if (content !== null) replaceOwnFile(now, content);
      const { kept } = await client.post<{ kept: { name: string; why: string }[] }>('/v1/wraps/remove', {
        path: now.path,
      });
      print({ file: now.path, restored, lost, kept }, flags.json, () =>
        [
          `${bold(now.path)} is ${restored === 'bytes' ? 'as it was, byte for byte' : 'changed as it was, with its servers put back'}.`,
          ...lost.map((what) => `${what}: not there any more, and not put back`),
          ...kept.map(({ name, why }) => `Kept the secret ${name}: ${why}`),
        ].join('\n'),
      );
    });
}

/** What to write; null: nothing, it is as it was. @throws ServerError request (it was changed, and nobody said what to do then) */
function restoredText(now: OwnFile, record: Wrap, keepChanges: boolean) {
  const original = Buffer.from(record.original, 'base64');
  const nothing: readonly string[] = [];
  if (Buffer.compare(original, now.bytes) === 0) return { content: null, restored: 'bytes' as const, lost: nothing };
  if (record.written === digestOf(now.bytes)) return { content: original, restored: 'bytes' as const, lost: nothing };
  if (!keepChanges) {
    throw new ServerError(
      'request',
      `${now.path} was changed since it was wrapped, so it cannot be put back as it was: add --keep-changes to put back its servers alone`,
    );
  }
  const dialect = dialectOf(now.path);
  const before = dialect.entries(original.toString());
  const there = dialect.entries(now.text);
  const same = (one: Entry, at: readonly string[]) => one.at.join('\n') === at.join('\n');
  const lost: string[] = [];
  const content = record.servers.reduce((text, { at, tool }) => {
    const entry = there.find((one) => same(one, at));
    const was = before.find((one) => same(one, at));
    if (was && entry && behindDeed(entry) === tool) return putBack(dialect, text, was);
    lost.push(at.join('.'));
    return text;
  }, now.text);
  return { content, restored: 'servers' as const, lost };
}

function putBack(dialect: Dialect, text: string, was: Entry): string {
  if (addressOf(was)) {
    const members = Object.fromEntries(dialect.addressMembers.map((member) => [member, was.value[member]]));
    return dialect.withAddress(text, was.at, members);
  }
  const { command: program, args = null, env = null } = stdioOf(was);
  return dialect.withStart(text, was.at, { command: program, args, env });
}

export function wrapsCommand(): Command {
  return command(
    'list',
    'configurations whose servers run behind Deed, and secrets that stand in them in the clear',
  ).action(async (flags: CommonOptions) => {
    const { wraps } = await new Client(flags.data).get<{ wraps: (Omit<Wrap, 'original'> & { path: string })[] }>(
      '/v1/wraps',
    );
    print(wraps, flags.json, () =>
      table(
        ['file', 'servers', 'left', 'secrets moved', 'in the clear', 'since'],
        wraps.map(({ path, servers, left, plain, since }) => [
          ...[path, servers.map(({ tool }) => tool).join(' '), left.map(({ at }) => at.at(-1)).join(' ') || '-'],
          ...[servers.flatMap(({ secrets }) => secrets.map(({ secret }) => secret)).join(' ') || '-'],
          ...[plain.map(({ at, what }) => `${at.at(-1)}.${what}`).join(' ') || '-', since],
        ]),
      ),
    );
  });
}
