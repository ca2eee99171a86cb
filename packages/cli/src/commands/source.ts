import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { ServerError, shippedMapping, shippedMappings, stampStatements, tryMapping } from '@deed/server';
import { Command } from 'commander';
import { Client } from '../client.ts';
import { type CommonOptions, command } from '../options.ts';
import { bold, counted, print, table, yellow } from '../output.ts';
import { visible } from '../visible.ts';
import { type CheckView, printChecks } from './checks.ts';

interface AddFlags extends CommonOptions {
  readonly dir?: string;
  readonly forgeUrl?: string;
  readonly adminUrl?: string;
  readonly adminTokenFile?: string;
  readonly mapping?: string;
  readonly path?: string;
  readonly digests?: string;
  readonly digestKeys?: string;
  readonly webhook?: string;
  readonly secretFile?: string;
  readonly live?: boolean;
  readonly lag?: string;
  readonly postgres?: string;
  readonly port?: string;
  readonly database?: string;
  readonly readerFile?: string;
  readonly slot?: string;
  readonly publication?: string;
  readonly tls?: boolean;
  readonly caFile?: string;
  readonly redact?: readonly string[];
  readonly skew?: string;
  readonly expect?: readonly string[];
  readonly only?: readonly string[];
  readonly beside?: string;
}

export function sourceCommand(): Command {
  return new Command('source')
    .description("other systems' own logs")
    .addCommand(add())
    .addCommand(check())
    .addCommand(list())
    .addCommand(stamp())
    .addCommand(tryOut())
    .addCommand(mappings());
}

function add(): Command {
  return command('add', "read another system's own log; a git forge is also given a credential for each task")
    .argument('<id>', 'what statements call it')
    .option('--mapping <name>', 'a mapping that comes with Deed, or a file with one: how its records are read')
    .option('--path <path>', 'with a mapping: the file, or the folder with the files')
    .option(
      '--digests <dir>',
      'with the mapping aws-cloudtrail: the folder with the digest files; only what they sign is read',
    )
    .option('--digest-keys <file>', 'what "aws cloudtrail list-public-keys" printed')
    .option(
      '--webhook <sender>',
      'the system sends: github, gitlab, stripe or standard (Standard Webhooks); --path is where deliveries wait',
    )
    .option('--secret-file <file>', 'file of mode 0600 with the secret of the webhook')
    .option('--live', 'the system writes there itself and at once: no record means that nothing happened')
    .option('--lag <seconds>', 'how long after it happened an event may still appear, if not as the mapping says')
    .option('--dir <dir>', 'without a mapping: the folder with the records of a git forge')
    .option('--forge-url <url>', 'where its repositories are, for the gateway')
    .option('--admin-url <url>', 'where its credentials are administered')
    .option('--admin-token-file <file>', 'file with the token of its administration')
    .option('--postgres <host>', 'a PostgreSQL server: a host, or the folder of a unix socket')
    .option('--port <port>', 'its port', '5432')
    .option('--database <name>', 'the database whose changes are read')
    .option('--reader-file <file>', 'file of mode 0600: {"user": …, "password": …} of a role with REPLICATION')
    .option('--slot <name>', 'the replication slot; it is made if it is not there', 'deed')
    .option('--publication <name>', 'which tables are read', 'deed')
    .option('--redact <column...>', 'columns whose values are never kept, each as SCHEMA.TABLE.COLUMN')
    .option('--no-tls', 'speak without TLS (default: with, except to a unix socket and to this machine)')
    .option('--ca-file <file>', 'the certificate that signs that of the server')
    .option('--skew <seconds>', 'by how much its clock may differ from ours')
    .option('--expect <uid...>', 'credentials and principals that act there rightly without Deed')
    .option('--beside <id>', 'another source of the same system, which has the changes themselves')
    .option('--only <prefix...>', 'look only at credentials and principals that begin so')
    .action(async (id: string, flags: AddFlags) => {
      const forge = forgeOf(id, flags);
      const source = await new Client(flags.data).post('/v1/sources', {
        id,
        ...kindOf(flags),
        watch: {
          ...(flags.expect ? { expected: flags.expect } : {}),
          ...(flags.only ? { only: flags.only } : {}),
          ...(flags.beside ? { beside: flags.beside } : {}),
        },
        ...(flags.skew === undefined ? {} : { skewMs: Math.round(Number(flags.skew) * 1000) }),
        ...(forge ? { forge } : {}),
      });
      const inbox = flags.webhook ? ` Deliveries go to /v1/inbox/${id} of this server.` : '';
      const more = forge ? ' From now on each task that names a repository gets a credential there.' : '';
      print(source, flags.json, () => `Added ${bold(id)}.${more}${inbox}`);
    });
}

function kindOf(flags: AddFlags): object {
  const { mapping, path, dir, digests, digestKeys, webhook, secretFile, live, lag } = flags;
  if (flags.postgres !== undefined) return { kind: 'postgres', config: postgresOf(flags.postgres, flags) };
  if (mapping !== undefined && path !== undefined) {
    const config = { path: resolve(path), mapping: Buffer.from(mappingOf(mapping)).toString('utf8') };
    const lagSeconds = lag === undefined ? {} : { lagSeconds: Number(lag) };
    if (webhook !== undefined) {
      if (secretFile === undefined) throw new ServerError('request', '--webhook needs --secret-file');
      return {
        kind: 'webhook',
        config: { ...config, sender: webhook, secretFile: resolve(secretFile), ...lagSeconds },
      };
    }
    if (digests !== undefined) {
      if (digestKeys === undefined) throw new ServerError('request', '--digests needs --digest-keys');
      const signed = { digests: resolve(digests), keys: readFileSync(digestKeys, 'utf8') };
      return { kind: 'cloudtrail', config: { ...config, ...signed, ...lagSeconds } };
    }
    return { kind: 'mapped', config: { ...config, live: live === true, ...lagSeconds } };
  }
  if (dir !== undefined && mapping === undefined) return { kind: 'git-forge', config: { dir: resolve(dir) } };
  throw new ServerError(
    'request',
    'say what is read: --mapping NAME --path PATH, --postgres HOST --database NAME --reader-file FILE, or --dir DIR of a git forge',
  );
}

function postgresOf(
  host: string,
  { port, database, readerFile, slot, publication, tls, caFile, redact }: AddFlags,
): object {
  if (database === undefined || readerFile === undefined)
    throw new ServerError('request', '--postgres needs --database and --reader-file');
  const isHere = host.startsWith('/') || ['127.0.0.1', '::1', 'localhost'].includes(host);
  return {
    ...{ host, port: Number(port), database, readerFile: resolve(readerFile), slot, publication },
    tls: tls !== false && (!isHere || caFile !== undefined),
    ...(caFile === undefined ? {} : { caFile: resolve(caFile) }),
    ...(redact === undefined ? {} : { redact }),
  };
}

function check(): Command {
  return command('check', 'whether a source has all that it needs, and how to mend what is missing')
    .argument('<id>', 'its id')
    .action(async (id: string, flags: CommonOptions) => {
      const { checks } = await new Client(flags.data).post<{ checks: CheckView[] }>(`/v1/sources/${id}/check`);
      printChecks(checks, flags.json);
    });
}

function stamp(): Command {
  return command(
    'stamp',
    'prints the SQL by which tables of PostgreSQL say whose session changes them; run it as their owner',
  )
    .argument('<table...>', 'each as SCHEMA.TABLE')
    .action((tables: readonly string[], flags: CommonOptions) => {
      const statements = stampStatements(
        tables.map((name) => {
          const [schema, table, more] = name.split('.');
          if (!schema || !table || more !== undefined) throw new ServerError('request', `${name} is not SCHEMA.TABLE`);
          return [schema, table] as const;
        }),
      );
      print(statements, flags.json, () => statements.map((statement) => `${statement};`).join('\n'));
    });
}

function forgeOf(name: string, { forgeUrl: url, adminUrl, adminTokenFile }: AddFlags): object | null {
  if (url === undefined || adminUrl === undefined || adminTokenFile === undefined) return null;
  return { name, url, adminUrl, adminTokenFile: resolve(adminTokenFile) };
}

/** One that comes with Deed, by its name, or the one in a file. */
function mappingOf(name: string): Uint8Array {
  return existsSync(name) ? readFileSync(name) : shippedMapping(name);
}

function list(): Command {
  return command('list', 'the sources and how far they were read').action(async (flags: CommonOptions) => {
    type View = { id: string; kind: string; watermark: string | null };
    const { sources } = await new Client(flags.data).get<{ sources: View[] }>('/v1/sources');
    print(sources, flags.json, () =>
      table(
        ['source', 'kind', 'read up to'],
        sources.map(({ id, kind, watermark }) => [id, kind, watermark ?? 'never']),
      ),
    );
  });
}

function tryOut(): Command {
  return command('try', 'what a mapping makes of the first records of a log; needs no server and changes nothing')
    .argument('<path>', 'a file, or a folder with files')
    .requiredOption('--mapping <name>', 'a mapping that comes with Deed, or a file with one')
    .option('--count <number>', 'how many records', '10')
    .action((path: string, flags: CommonOptions & { mapping: string; count: string }) => {
      const tried = tryMapping(resolve(path), mappingOf(flags.mapping), Number(flags.count));
      print(tried, flags.json, () => triedText(tried));
      process.exitCode = tried.events.length > 0 ? 0 : 1;
    });
}

function triedText({
  title,
  events,
  records,
  passedOver,
  problems,
  notCovered,
}: ReturnType<typeof tryMapping>): string {
  const rows = events.map(({ time, operation, activity, status, credential, resource, correlation }) => [
    ...[time, `${operation} (${activity}${status === 'success' ? '' : `, ${status}`})`],
    ...[resource?.uid ?? '-', credential?.uid ?? '-', correlation.request ?? correlation.idempotency ?? '-'],
  ]);
  const cut = (text: string) => visible(text.length > 36 ? `${text.slice(0, 35)}…` : text);
  return [
    `${bold(title)}: of ${counted(records, 'record')} ${counted(events.length, 'event')}, ${passedOver} not meant by the mapping, ${counted(problems.length, 'problem')}`,
    ...(rows.length > 0
      ? [
          table(
            ['time', 'what', 'of', 'credential', 'request'],
            rows.map((row) => row.map(cut)),
          ),
        ]
      : []),
    ...problems.map((problem) => `${yellow('problem')}  ${visible(problem)}`),
    ...notCovered.map((each) => `not recorded there: ${each}`),
  ].join('\n');
}

function mappings(): Command {
  return command('mappings', 'the mappings that come with Deed, or one of them')
    .argument('[name]', 'prints this one')
    .action((name: string | undefined, flags: CommonOptions) => {
      if (name !== undefined) {
        process.stdout.write(shippedMapping(name));
        return;
      }
      const all = shippedMappings();
      print(all, flags.json, () => all.join('\n'));
    });
}
