import { resolve } from 'node:path';
import { ServerError } from '@deed/server';
import { Command, Option } from 'commander';
import { Client } from '../client.ts';
import { type CommonOptions, command } from '../options.ts';
import { bold, print, table } from '../output.ts';
import { type CheckView, printChecks } from './checks.ts';

export interface BrokerView {
  readonly name: string;
  readonly kind: string;
  readonly debt: 'none' | 'static';
  readonly env: Readonly<Record<string, string>>;
  readonly servers: readonly string[];
  readonly live: number;
  readonly owed: number;
  readonly since: string | null;
}

export function brokerCommand(): Command {
  return new Command('broker')
    .description('who makes the credential that a tool is given for one task')
    .addCommand(
      new Command('add')
        .description('add a broker, or change one')
        .addCommand(postgres())
        .addCommand(awsSts())
        .addCommand(githubApp())
        .addCommand(httpKeys()),
    )
    .addCommand(list())
    .addCommand(check())
    .addCommand(remove());
}

interface PostgresFlags extends CommonOptions {
  readonly host: string;
  readonly port: string;
  readonly database: string;
  readonly adminFile: string;
  readonly role: readonly string[];
  readonly connections: string;
  readonly owned: string;
  readonly tls?: boolean;
  readonly caFile?: string;
}

function postgres(): Command {
  return command('postgres', 'a role for each task, dropped at its end')
    .argument('<name>', 'what registrations and the log call it')
    .requiredOption('--host <host>', 'a host, or the folder of a unix socket')
    .option('--port <port>', 'its port', '5432')
    .requiredOption('--database <name>', 'the database that tools are given')
    .requiredOption('--admin-file <file>', 'file of mode 0600: {"user": …, "password": …} of a role with CREATEROLE')
    .requiredOption('--role <role...>', "roles of which the task's becomes a member: they say what it may do")
    .option('--connections <number>', 'connections of one task at a time', '4')
    .addOption(
      new Option('--owned <what>', "what becomes of what a task's role made").choices(['keep', 'drop']).default('keep'),
    )
    .option('--no-tls', 'speak without TLS (default: with, except to a unix socket and to this machine)')
    .option('--ca-file <file>', 'the certificate that signs that of the server')
    .action((name: string, flags: PostgresFlags) => {
      const { host, database, role: roles, owned } = flags;
      const isHere = host.startsWith('/') || ['127.0.0.1', '::1', 'localhost'].includes(host);
      return add(flags, {
        ...{ kind: 'postgres', name, host, database, roles, owned },
        ...{ port: Number(flags.port), connections: Number(flags.connections) },
        adminFile: resolve(flags.adminFile),
        tls: flags.tls !== false && (!isHere || flags.caFile !== undefined),
        ...(flags.caFile === undefined ? {} : { caFile: resolve(flags.caFile) }),
      });
    });
}

interface StsFlags extends CommonOptions {
  readonly region: string;
  readonly roleArn: string;
  readonly tokenFile?: string;
  readonly keyFile?: string;
  readonly policyFile?: string;
  readonly endpoint?: string;
}

function awsSts(): Command {
  return command('aws-sts', 'an AWS session for each task, which ends by itself')
    .argument('<name>', 'what registrations and the log call it')
    .requiredOption('--region <region>', 'of the STS endpoint, and of what the tool uses')
    .requiredOption('--role-arn <arn>', 'the role that sessions have')
    .option(
      '--key-file <file>',
      'file of mode 0600 with an access key: {"accessKeyId": …, "secretAccessKey": …} (AssumeRole)',
    )
    .option('--token-file <file>', "or one with this server's own OIDC token (AssumeRoleWithWebIdentity)")
    .option('--policy-file <file>', 'session policy (JSON): what a session may do of what the role may')
    .option('--endpoint <url>', 'another than https://sts.REGION.amazonaws.com')
    .action((name: string, { region, roleArn, tokenFile, keyFile, policyFile, endpoint, ...flags }: StsFlags) =>
      add(flags, {
        ...{ kind: 'aws-sts', name, region, roleArn },
        ...(tokenFile === undefined ? {} : { tokenFile: resolve(tokenFile) }),
        ...(keyFile === undefined ? {} : { keyFile: resolve(keyFile) }),
        ...(policyFile === undefined ? {} : { policyFile: resolve(policyFile) }),
        ...(endpoint === undefined ? {} : { endpoint }),
      }),
    );
}

interface GithubFlags extends CommonOptions {
  readonly clientId: string;
  readonly installation: string;
  readonly keyFile: string;
  readonly permission: readonly string[];
  readonly apiUrl?: string;
}

function githubApp(): Command {
  return command('github-app', 'an installation token for each task, for the repositories that it names')
    .argument('<name>', 'what registrations and the log call it')
    .requiredOption('--client-id <id>', 'of the GitHub App')
    .requiredOption('--installation <id>', 'where it is installed')
    .requiredOption('--key-file <file>', 'file of mode 0600 with its private key (PEM)')
    .requiredOption('--permission <name=level...>', 'what a token may do, for instance contents=read')
    .option('--api-url <url>', 'another than https://api.github.com')
    .action((name: string, { clientId, installation, keyFile, permission, apiUrl, ...flags }: GithubFlags) =>
      add(flags, {
        ...{ kind: 'github-app', name, clientId, installation: Number(installation), keyFile: resolve(keyFile) },
        permissions: Object.fromEntries(permission.map((text) => pair(text, '--permission'))),
        ...(apiUrl === undefined ? {} : { apiUrl }),
      }),
    );
}

interface KeysFlags extends CommonOptions {
  readonly adminUrl: string;
  readonly adminTokenFile: string;
  readonly probeUrl?: string;
}

function httpKeys(): Command {
  return command('http-keys', 'an API key of a service for each task')
    .argument('<name>', 'what registrations and the log call it')
    .requiredOption('--admin-url <url>', 'where keys are put and deleted: <url>/<id>')
    .requiredOption('--admin-token-file <file>', 'file of mode 0600 with the token of that administration')
    .option('--probe-url <url>', 'where a key can be tried without doing anything')
    .action((name: string, { adminUrl, adminTokenFile, probeUrl, ...flags }: KeysFlags) =>
      add(flags, {
        ...{ kind: 'http-keys', name, adminUrl, adminTokenFile: resolve(adminTokenFile) },
        ...(probeUrl === undefined ? {} : { probeUrl }),
      }),
    );
}

async function add(flags: CommonOptions, config: object): Promise<void> {
  const view = await new Client(flags.data).post<BrokerView>('/v1/brokers', config);
  print(
    view,
    flags.json,
    () =>
      `Added ${bold(view.name)} (${view.kind}). Look whether it works: deed broker check ${view.name}\nA tool is given ${Object.keys(view.env).join(', ')} when it is registered with --credential ${view.name}.`,
  );
}

/** `NAME=VALUE` as a pair. @throws ServerError request */
export function pair(text: string, option: string): readonly [string, string] {
  const at = text.indexOf('=');
  if (at < 1) throw new ServerError('request', `${option} wants NAME=VALUE, not ${text}`);
  return [text.slice(0, at), text.slice(at + 1)];
}

function list(): Command {
  return command('list', 'the brokers, and the credentials that are out').action(async (flags: CommonOptions) => {
    const { brokers } = await new Client(flags.data).get<{ brokers: BrokerView[] }>('/v1/brokers');
    print(brokers, flags.json, () =>
      table(
        ['broker', 'kind', 'tool servers', 'live', 'to revoke', 'debt'],
        brokers.map(({ name, kind, servers, live, owed, debt }) => [
          ...[name, kind, servers.join(' ') || '-', String(live), String(owed)],
          debt === 'static' ? 'static secret (NHI7)' : '-',
        ]),
      ),
    );
  });
}

function check(): Command {
  return command('check', 'whether a broker has all that it needs, tried out where that can be')
    .argument('<name>', 'its name')
    .action(async (name: string, flags: CommonOptions) => {
      const { checks } = await new Client(flags.data).post<{ checks: CheckView[] }>(`/v1/brokers/${name}/check`);
      printChecks(checks, flags.json);
    });
}

function remove(): Command {
  return command('remove', 'remove a broker that no tool is registered with and whose credentials are revoked')
    .argument('<name>', 'its name')
    .action(async (name: string, flags: CommonOptions) => {
      const removed = await new Client(flags.data).post(`/v1/brokers/${name}/remove`);
      print(removed, flags.json, () => `Removed ${bold(name)}.`);
    });
}
