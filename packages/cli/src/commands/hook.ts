import { mkdirSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { claudeCodeMessage, maxLineBytes, ServerError } from '@deed/server';
import { Command } from 'commander';
import { type AgentFlags, agentOptions, identityOf, lastingKey } from '../agent-flags.ts';
import { Client } from '../client.ts';
import { hookGroups, hooksIn, withHooks, withoutHooks } from '../hooks/settings.ts';
import { type CommonOptions, command } from '../options.ts';
import { counted, print } from '../output.ts';
import { readOwnFile, replaceOwnFile } from '../own-file.ts';
import { selfCommand } from '../process.ts';
import { TaskTokens } from '../shim.ts';

interface HookFlags extends CommonOptions, AgentFlags {
  readonly timeout: string;
}

export function hookCommand(): Command {
  return new Command('hook')
    .description("ask before, and tell after, what an agent's client does with its own tools")
    .addCommand(claudeCode())
    .addCommand(install())
    .addCommand(remove());
}

/** The exit code by which a hook of Claude Code blocks; any other than 0 lets the call through. */
const blocks = 2;

function claudeCode(): Command {
  const made = command('claude-code', 'what Claude Code starts for an event, which it writes to the input').option(
    '--timeout <seconds>',
    'refuse what has no answer by then',
    '20',
  );
  return agentOptions(made).action((flags: HookFlags) => hook(flags));
}

/** Ends the process: with 0 where the client may go on, else with what blocks it. */
async function hook(flags: HookFlags): Promise<void> {
  let asks = true; // until it is known what it is, it is a call that must not go on
  const refuse = (error: unknown) => {
    const { message, code = 'internal' } = error as Error & { code?: string };
    process.stderr.write(`Deed ${asks ? 'refused this' : 'could not record this'} (${code}): ${message}\n`);
    process.exit(blocks);
  };
  const late = new ServerError('no-server', `no answer within ${flags.timeout} s`);
  setTimeout(() => refuse(late), Number(flags.timeout) * 1000 || 1);
  try {
    const said = claudeCodeMessage(await readInput());
    asks = said.asks;
    const answer = await tell(flags, said.message);
    if (flags.json) print(answer, true, () => '');
    process.exit(0);
  } catch (error) {
    refuse(error);
  }
}

/** Sends one message, with a proof over exactly its bytes where the hook acts in a task. */
async function tell(flags: HookFlags, message: Uint8Array): Promise<unknown> {
  const client = new Client(flags.data, flags.socket);
  const agent = await identityOf(flags, client);
  const [token, proof] = agent ? (await new TaskTokens(client, agent).header(message)).split(' ') : [];
  const speaker = agent && { task: agent.task, token, proof };
  return client.post('/v1/hooks/claude-code', { speaker, message: Buffer.from(message).toString('base64') });
}

async function readInput(): Promise<Uint8Array> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of process.stdin as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > maxLineBytes) throw new ServerError('request', `an event above ${maxLineBytes} bytes is not accepted`);
    parts.push(part);
  }
  return Buffer.concat(parts);
}

function install(): Command {
  const made = command('install', 'write the hooks into a settings file of Claude Code').argument(
    '<file>',
    'for instance .claude/settings.json',
  );
  return agentOptions(made).action(async (file: string, flags: HookFlags) => {
    const client = new Client(flags.data, flags.socket);
    await identityOf(flags, client); // a key that cannot be read is better found now
    const words = [
      ...selfCommand('hook', 'claude-code', '--data', flags.data),
      ...['--socket', client.socket],
      ...(flags.task === undefined || flags.key === undefined
        ? []
        : ['--task', flags.task, '--key', lastingKey(flags.key)]),
      ...(flags.hop === undefined ? [] : ['--hop', flags.hop]),
    ];
    mkdirSync(dirname(resolve(file)), { recursive: true });
    const before = readOwnFile(file, { missing: '{}\n' });
    const text = withHooks(withoutHooks(before.text), hookGroups(words));
    replaceOwnFile(before, text);
    const events = hooksIn(text);
    print({ file: before.path, events }, flags.json, () =>
      [
        `Wrote ${counted(events.length, 'hook')} into ${before.path}: ${events.join(', ')}.`,
        'They count from the next session on. Claude Code 2.1.295 or newer blocks a call whose hook takes too long.',
      ].join('\n'),
    );
  });
}

function remove(): Command {
  return command('remove', 'take the hooks of Deed out of a settings file again')
    .argument('<file>', 'the settings file')
    .action((file: string, flags: CommonOptions) => {
      const before = readOwnFile(file);
      const events = hooksIn(before.text);
      if (events.length > 0) replaceOwnFile(before, withoutHooks(before.text));
      print(
        { file: before.path, events },
        flags.json,
        () => `Took ${counted(events.length, 'hook')} out of ${before.path}.`,
      );
    });
}
