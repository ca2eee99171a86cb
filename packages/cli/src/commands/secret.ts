import { readFileSync } from 'node:fs';
import { ServerError } from '@deed/server';
import { Command } from 'commander';
import { Client } from '../client.ts';
import { type CommonOptions, command } from '../options.ts';
import { bold, print, table } from '../output.ts';
import { passphrase } from '../secrets.ts';
import type { BrokerView } from './broker.ts';

interface SecretFlags extends CommonOptions {
  readonly file?: string;
}

export function secretCommand(): Command {
  return new Command('secret')
    .description('secrets that each task is handed alike: a debt, sealed at rest, named in what every task leaves')
    .addCommand(add())
    .addCommand(rotate())
    .addCommand(list())
    .addCommand(remove());
}

function add(): Command {
  return command('add', 'seal a secret, from a file, from what is piped in, or asked for; never from the command line')
    .argument('<name>', 'what registrations and the log call it')
    .requiredOption('--env <variable>', 'the variable in which a tool gets it')
    .option('--file <file>', 'read it from a file')
    .action(async (name: string, flags: SecretFlags & { readonly env: string }) => {
      const body = { name, variable: flags.env, value: await readValue(name, flags) };
      const view = await new Client(flags.data).post<BrokerView>('/v1/secrets', body);
      print(
        view,
        flags.json,
        () =>
          `Sealed ${bold(name)}. A tool is given it as ${flags.env} when it is registered with --credential ${name}.\nEach task that uses it says so: static secret (NHI7).`,
      );
    });
}

function rotate(): Command {
  return command('rotate', 'put a new secret in the place of one; tasks that are open keep the old one')
    .argument('<name>', 'its name')
    .option('--file <file>', 'read it from a file')
    .action(async (name: string, flags: SecretFlags) => {
      const view = await new Client(flags.data).post('/v1/secrets', { name, value: await readValue(name, flags) });
      print(view, flags.json, () => `Sealed ${bold(name)} anew. Now end the old one at its system.`);
    });
}

function list(): Command {
  return command('list', 'the static secrets, never what they are').action(async (flags: CommonOptions) => {
    const { brokers } = await new Client(flags.data).get<{ brokers: BrokerView[] }>('/v1/brokers');
    const secrets = brokers.filter(({ kind }) => kind === 'static');
    print(secrets, flags.json, () =>
      table(
        ['secret', 'variable', 'tool servers', 'set'],
        secrets.map(({ name, env, servers, since }) => [
          ...[name, Object.keys(env).join(' '), servers.join(' ') || '-', since ?? '-'],
        ]),
      ),
    );
  });
}

function remove(): Command {
  return command('remove', 'remove a secret that no tool is registered with')
    .argument('<name>', 'its name')
    .action(async (name: string, flags: CommonOptions) => {
      const removed = await new Client(flags.data).post(`/v1/secrets/${name}/remove`);
      print(removed, flags.json, () => `Removed ${bold(name)}.`);
    });
}

/** Without the newline at its end. */
async function readValue(name: string, { file }: SecretFlags): Promise<string> {
  if (file === undefined && process.stdin.isTTY) return passphrase(`The secret ${name}`, {}, true);
  const text = readFileSync(file ?? process.stdin.fd, 'utf8').replace(/\r?\n$/, '');
  if (text === '') throw new ServerError('request', 'the secret is empty: pipe it in, or give --file');
  return text;
}
