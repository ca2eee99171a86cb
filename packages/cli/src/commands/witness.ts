import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { formatVkey, parseTrust } from '@deed/evidence';
import {
  changeStopped,
  initWitness,
  quorumInWords,
  readConfig,
  ServerError,
  startWitness,
  trustLog,
  type WitnessChange,
  type WitnessHealth,
  witnessedLogs,
} from '@deed/server';
import { Command } from 'commander';
import { Client } from '../client.ts';
import { type CommonOptions, command } from '../options.ts';
import { bold, green, print, red, table } from '../output.ts';
import { untilEnded } from '../process.ts';
import { visible } from '../visible.ts';

interface StateFlags {
  readonly state: string;
  readonly json: boolean;
}

interface RunFlags extends StateFlags {
  readonly host: string;
  readonly port: string;
  readonly withParent: boolean;
}

interface Witnesses {
  readonly witnesses: readonly {
    readonly name: string;
    readonly vkey: string;
    readonly url: string | null;
    /** Null while it is not asked: it was added since the last start, or nobody serves the folder. */
    readonly health: WitnessHealth | null;
  }[];
  readonly quorum: string;
  readonly attest: 'open' | 'closed';
  /** What the server that runs goes by; null when none runs. */
  readonly inForce: { readonly quorum: string; readonly attest: 'open' | 'closed' } | null;
}

const nextStart = 'In force from the next start of deed up';
const newTrustFile = `${nextStart}; hand out the trust file anew then (deed trust show).`;

export function witnessCommand(): Command {
  return new Command('witness')
    .description('who cosigns the log; and a witness to run yourself (init, trust, run)')
    .addCommand(add())
    .addCommand(remove())
    .addCommand(list())
    .addCommand(quorum())
    .addCommand(attest())
    .addCommand(init())
    .addCommand(trust())
    .addCommand(run(), { isDefault: true });
}

function add(): Command {
  return command('add', 'have another witness cosign the log')
    .argument('<name>', 'your name for it, as in trust files')
    .argument('<vkey>', 'its key, as its operator says it')
    .argument('<url>', 'where it takes checkpoints (its submission prefix)')
    .action((name: string, vkey: string, url: string, flags: CommonOptions) =>
      change(flags, { change: 'add', witness: { name, vkey, url } }, (now) => [
        `${name} will be asked for cosignatures. Its operator must accept your log first: give them your trust file.`,
        `Enough are still: ${now.quorum}. To count ${name} as well, for instance: deed log witness quorum all`,
        newTrustFile,
      ]),
    );
}

function remove(): Command {
  return command('remove', 'ask a witness no longer')
    .argument('<name>', 'your name for it')
    .action((name: string, flags: CommonOptions) =>
      change(flags, { change: 'remove', name }, () => [`${name} will not be asked any more.`, newTrustFile]),
    );
}

function quorum(): Command {
  return command(
    'quorum',
    'whose cosignatures are enough: a name, all, any, a number, or for instance 2 of local acme beta',
  )
    .argument('<rule...>', 'names stand in the list: deed log witness list')
    .action((rule: string[], flags: CommonOptions) =>
      change(flags, { change: 'quorum', rule }, (now) => [
        `Enough will be: ${now.quorum}.`,
        'Approve actions that were anchored before stay so under the trust file of their time.',
        newTrustFile,
      ]),
    );
}

function attest(): Command {
  return command(
    'attest',
    'whether an action of tier attest waits for the witnesses before it is dispatched (closed), or goes on (open)',
  )
    .argument('<how>', 'open or closed')
    .action((how: string, flags: CommonOptions) => {
      if (how !== 'open' && how !== 'closed') throw new ServerError('request', `say open or closed, not ${how}`);
      return change(flags, { change: 'attest', attest: how }, () => [
        how === 'closed'
          ? 'An attest action will wait for the quorum, and be refused (unwitnessed) without it.'
          : 'An attest action will go on when its intent is on the disk, and be anchored later.',
        `${nextStart}.`,
      ]);
    });
}

function list(): Command {
  return command('list', 'the witnesses, the rule, and how each does').action(async (flags: CommonOptions) => {
    const now = await current(flags);
    print(now, flags.json, () =>
      [
        table(
          ['name', 'answers', 'cosigned', 'at', 'where'],
          now.witnesses.map(({ name, url, health }) => [
            name,
            health?.answers === undefined || health.answers === null ? '-' : health.answers ? 'yes' : 'no',
            health?.cosigned ? String(health.cosigned.size) : '-',
            health?.cosigned?.time ?? '-',
            url ?? 'run by deed up',
          ]),
        ),
        ...now.witnesses.flatMap(({ name, health }) =>
          health?.failed ? [`${name} failed at ${health.failed.time}: ${visible(health.failed.why)}`] : [],
        ),
        ...now.witnesses.flatMap(({ name, health }) => (health ? [] : [`${name} is not asked yet`])),
        `Enough are: ${now.quorum}. Tier attest: ${now.attest}.`,
        ...(now.inForce && (now.inForce.quorum !== now.quorum || now.inForce.attest !== now.attest)
          ? [`Until the next start of deed up: ${now.inForce.quorum}. Tier attest: ${now.inForce.attest}.`]
          : []),
      ].join('\n'),
    );
  });
}

/** Through the server when there is one, since it keeps the configuration; in the file when there is none. */
async function change(
  flags: CommonOptions,
  wanted: WitnessChange,
  said: (now: Witnesses) => readonly string[],
): Promise<void> {
  let now: Witnesses;
  try {
    now = await new Client(flags.data).post<Witnesses>('/v1/witnesses', wanted);
  } catch (error) {
    if (!isAbsent(error)) throw error;
    now = fromFile(changeStopped(flags.data, wanted));
  }
  print(now, flags.json, () => said(now).join('\n'));
}

async function current(flags: CommonOptions): Promise<Witnesses> {
  try {
    return await new Client(flags.data).get<Witnesses>('/v1/witnesses');
  } catch (error) {
    if (!isAbsent(error)) throw error;
    return fromFile(readConfig(flags.data));
  }
}

function isAbsent(error: unknown): boolean {
  return error instanceof ServerError && error.code === 'no-server';
}

function fromFile(config: ReturnType<typeof readConfig>): Witnesses {
  const all = [{ name: config.witness.name, vkey: config.witness.vkey, url: null }, ...config.witnesses];
  return {
    witnesses: all.map((one) => ({ ...one, health: null })),
    quorum: quorumInWords(config),
    attest: config.attest,
    inForce: null,
  };
}

function init(): Command {
  return stateCommand('init', 'make a witness: its state folder and its key')
    .requiredOption('--name <name>', 'its name for ever, for instance witness.example/one')
    .option('--ml-dsa', 'with an ML-DSA-44 key beside the Ed25519 one', false)
    .option('--ml-dsa-only', 'with an ML-DSA-44 key and no other', false)
    .action((flags: StateFlags & { name: string; mlDsa: boolean; mlDsaOnly: boolean }) => {
      const keys = flags.mlDsaOnly
        ? (['ml-dsa-44'] as const)
        : flags.mlDsa
          ? (['ed25519', 'ml-dsa-44'] as const)
          : null;
      const vkeys = initWitness(flags.state, { name: flags.name, ...(keys === null ? {} : { keys }) });
      print({ state: flags.state, name: flags.name, vkeys }, flags.json, () =>
        [
          `${bold('Made')} the witness ${flags.name} in ${flags.state}`,
          ...vkeys.map((vkey) => `  vkey  ${vkey}`),
          'Keep the folder out of every backup that could be put back: its memory is what it is for.',
          `Next: deed log witness trust --state ${flags.state} TRUST_FILE_OF_A_LOG`,
        ].join('\n'),
      );
    });
}

function trust(): Command {
  return stateCommand(
    'trust',
    'let the witness accept a log, also while it runs; without arguments: show what it accepts',
  )
    .argument('[log]', "the log's trust file, or its origin")
    .argument('[vkeys...]', 'with an origin: the keys of the log')
    .option('--replace', "the log's operator changed its keys; what was signed stays as it was", false)
    .action((log: string | undefined, vkeys: string[], flags: StateFlags & { replace: boolean }) => {
      const { state, replace } = flags;
      if (log !== undefined) trustLog(state, { ...(vkeys.length > 0 ? { origin: log, vkeys } : logOf(log)), replace });
      const logs = witnessedLogs(flags.state);
      print({ logs }, flags.json, () =>
        logs.length === 0
          ? red('No log is accepted yet.')
          : table(
              ['origin', 'keys', 'cosigned', 'at'],
              logs.map(({ origin, vkeys: keys, cosigned }) => [
                visible(origin),
                String(keys.length),
                cosigned ? String(cosigned.size) : '-',
                cosigned?.time ?? '-',
              ]),
            ),
      );
    });
}

/** A trust file names the keys of one log; those that a rotation ended are left out. */
function logOf(file: string): { readonly origin: string; readonly vkeys: readonly string[] } {
  const { logs } = parseTrust(readFileSync(file, 'utf8'));
  const keys = logs
    .filter(({ span }) => span === undefined || span.until === Number.POSITIVE_INFINITY)
    .map(({ key }) => key);
  const [first] = keys;
  if (!first || keys.some(({ name }) => name !== first.name)) {
    throw new ServerError('request', `${file} does not name the keys of exactly one log`);
  }
  return { origin: first.name, vkeys: keys.map(formatVkey) };
}

function run(): Command {
  return stateCommand('run', 'run a witness over its state folder')
    .option('--host <address>', 'where to listen', '127.0.0.1')
    .option('--port <n>', 'where to listen (0: any free one)', '0')
    .option('--with-parent', 'end when the standard input closes', false)
    .action(async (flags: RunFlags) => {
      const running = await startWitness({ stateFolder: flags.state, host: flags.host, port: parsePort(flags.port) });
      const ended = untilEnded(flags.withParent); // before it says that it is ready
      const { url, vkeys } = running;
      process.stdout.write(
        flags.json
          ? `${JSON.stringify({ url, vkeys })}\n`
          : `${green('Witness')} at ${url}\n${vkeys.map((vkey) => `  vkey  ${vkey}\n`).join('')}`,
      );
      await ended;
      await running.close();
    });
}

function parsePort(text: string): number {
  const port = /^[0-9]{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (!(port <= 65_535)) throw new ServerError('request', `--port wants a number up to 65535, not ${text}`);
  return port;
}

function stateCommand(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .requiredOption('--state <dir>', "the witness's own folder, outside every data folder", (value) => resolve(value))
    .option('--json', 'print JSON', false);
}
