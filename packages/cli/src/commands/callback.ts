import { readFileSync } from 'node:fs';
import { callbackTopics } from '@deed/server';
import { Command, Option } from 'commander';
import { Client } from '../client.ts';
import { type CommonOptions, command } from '../options.ts';
import { bold, print, table } from '../output.ts';

interface CallbackView {
  readonly name: string;
  readonly url: string;
  readonly topics: readonly string[];
  readonly gone: boolean;
  readonly waiting: number;
  readonly dead: number;
}

interface DeadView {
  readonly index: number;
  readonly tries: number;
  readonly why: string | null;
  readonly statement: string | null;
}

export function callbackCommand(): Command {
  return new Command('callback')
    .description('tell others what the log says: signed, at least once')
    .addCommand(add())
    .addCommand(list())
    .addCommand(test())
    .addCommand(dead())
    .addCommand(retry())
    .addCommand(remove());
}

interface AddFlags extends CommonOptions {
  readonly url: string;
  readonly topic: readonly string[];
  readonly private?: boolean;
  readonly secretFile?: string;
}

function add(): Command {
  return command('add', 'name a receiver; it is told what is logged from now on')
    .argument('<name>', 'what it is called here')
    .requiredOption('--url <url>', 'where it listens: https, except on a private network')
    .addOption(new Option('--topic <topic...>', 'what it is told').choices(callbackTopics).makeOptionMandatory())
    .option('--private', 'it is on a network of your own: any address, and http')
    .option('--secret-file <file>', 'whsec_… to sign with; without it one is made')
    .action(async (name: string, flags: AddFlags) => {
      const made = await new Client(flags.data).post<{ secret: string }>('/v1/callbacks', {
        name,
        url: flags.url,
        topics: flags.topic,
        ...(flags.private ? { network: 'private' } : {}),
        ...(flags.secretFile === undefined ? {} : { secret: readFileSync(flags.secretFile, 'utf8').trim() }),
      });
      print(
        made,
        flags.json,
        () => `${bold(name)} is told of ${flags.topic.join(', ')}. It checks with: ${made.secret}`,
      );
    });
}

function list(): Command {
  return command('list', 'who is told what, and what did not arrive').action(async (flags: CommonOptions) => {
    const { callbacks } = await new Client(flags.data).get<{ callbacks: CallbackView[] }>('/v1/callbacks');
    print(callbacks, flags.json, () =>
      table(
        ['callback', 'topics', 'waiting', 'dead', 'url'],
        callbacks.map(({ name, topics, waiting, dead: left, gone, url }) => [
          ...[name, topics.join(' '), String(waiting), `${left}${gone ? ' (gone)' : ''}`, url],
        ]),
      ),
    );
  });
}

function test(): Command {
  return named('test', 'send one signed message that tells of nothing', async (client, name, flags) => {
    const said = await client.post<{ arrived: boolean; detail: string }>(`/v1/callbacks/${name}/test`, {});
    print(said, flags.json, () => `${said.arrived ? 'Arrived' : 'Did not arrive'}: ${said.detail}`);
    if (!said.arrived) process.exitCode = 1;
  });
}

function dead(): Command {
  return named('dead', 'what is no longer tried', async (client, name, flags) => {
    const { dead: left } = await client.get<{ dead: DeadView[] }>(`/v1/callbacks/${name}/dead`);
    print(left, flags.json, () =>
      table(
        ['log index', 'tries', 'why', 'statement'],
        left.map(({ index, tries, why, statement }) => [
          ...[String(index), String(tries), why ?? '-', statement?.slice(0, 16) ?? '-'],
        ]),
      ),
    );
  });
}

function retry(): Command {
  return named('retry', 'try what is dead again', async (client, name, flags) => {
    const said = await client.post<{ again: number }>(`/v1/callbacks/${name}/retry`, {});
    print(said, flags.json, () => `${said.again} are tried again`);
  });
}

function remove(): Command {
  return named('remove', 'tell it nothing more', async (client, name, flags) => {
    const said = await client.post<object>(`/v1/callbacks/${name}/remove`, {});
    print(said, flags.json, () => `Removed ${bold(name)}`);
  });
}

function named(
  verb: string,
  what: string,
  act: (client: Client, name: string, flags: CommonOptions) => Promise<void>,
): Command {
  return command(verb, what)
    .argument('<name>', 'its name: see deed callback list')
    .action((name: string, flags: CommonOptions) => act(new Client(flags.data), name, flags));
}
