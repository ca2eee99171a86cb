import {
  type Authority,
  authorityMigrations,
  objectFolder,
  openAuthority,
  openKeys,
  openSealedFiles,
  openStaticSecrets,
  readLogKeys,
  readServerKeys,
  roleKeysOf,
  type SealedFiles,
  secretsKeyOf,
  settleKeys,
  systemClock,
} from '@deed/authority';
import {
  ApiDesk,
  CloseAsks,
  defaultLinkLimits,
  EndpointKeys,
  filledHeaders,
  GitRelay,
  HookDesk,
  KeyedActions,
  type LinkLimits,
  ModelKeys,
  Pins,
  Prompts,
  ToolRegistry,
  toolMigrations,
  Walk,
} from '@deed/gateway';
import { type Ledger, openLedger, Timestamps } from '@deed/ledger';
import { Reconcile, reconcileMigrations } from '@deed/reconcile';
import { openObjects } from '@deed/store';
import { type BrokerGround, forgeBrokerOf, toolBrokerOf } from './brokers.ts';
import { Callbacks } from './callbacks/callbacks.ts';
import { callbackMigrations } from './callbacks/outbox.ts';
import { type Config, ledgerSettings, readConfig, retentionOf, timestampPlan } from './config.ts';
import { stateConfiguration } from './configuration.ts';
import { ImplicitTask, idleMs } from './implicit-task.ts';
import { startRetention } from './retention-job.ts';
import { credentialsOf } from './tool-credentials.ts';
import { trustFileOf } from './trust-file.ts';
import { type LocalWitness, localWitness } from './witness-child.ts';

/** The tables of the rooms above the ledger. */
export const migrations = [...authorityMigrations, ...toolMigrations, ...reconcileMigrations, ...callbackMigrations];

/** How long things may take, in milliseconds. */
export interface Limits extends LinkLimits {
  /** How long a call waits for a person before it is told to come back: below the 60 s that MCP clients wait. */
  readonly holdMs: number;
  /** How long an approve action waits for its cosigned checkpoint. */
  readonly witnessMs: number;
  /** How long an export waits for timestamps on approve actions. */
  readonly stampMs: number;
}

const defaultLimits: Limits = { ...defaultLinkLimits, holdMs: 50_000, witnessMs: 10_000, stampMs: 10_000 };

export interface Deployment {
  readonly dir: string;
  /** As it is now: forges and the timestamp authority can be named while the server runs; witnesses wait for the next start. */
  config: Config;
  /** What it was at the start: the rule for witnesses that is in force. */
  readonly started: Config;
  readonly ledger: Ledger;
  readonly timestamps: Timestamps;
  readonly callbacks: Callbacks;
  readonly authority: Authority;
  readonly tools: ToolRegistry;
  readonly endpointKeys: EndpointKeys;
  readonly modelKeys: ModelKeys;
  readonly prompts: Prompts;
  readonly brokerGround: BrokerGround;
  readonly sealedFiles: SealedFiles;
  readonly pins: Pins;
  readonly walk: Walk;
  readonly hooks: HookDesk;
  readonly api: ApiDesk;
  readonly closeAsks: CloseAsks;
  readonly relay: GitRelay;
  readonly reconcile: Reconcile;
  readonly limits: Limits;
  /** The trust file that this deployment hands out, by the rule that is in force. */
  trustFile(): string;
  close(): Promise<void>;
}

/** A deployment whose witnesses have not yet confirmed that this is the newest state: its log can be read. */
export interface Waiting {
  readonly dir: string;
  readonly config: Config;
  readonly ledger: Ledger;
  /** As of a {@link Deployment}. */
  trustFile(): string;
}

export interface OpenOptions {
  readonly dir: string;
  /** Starts the local witness over a state folder when it does not answer. */
  readonly witnessCommand: (stateFolder: string) => readonly string[];
  /** Where the defaults do not do. */
  readonly limits?: Partial<Limits> | undefined;
  /** Opens the server's keys where they are sealed. */
  readonly keyPassphrase?: string | undefined;
  /** How browsers reach what this process serves; null where nothing is. Asked at each use. */
  readonly url?: () => string | null;
  /** Called if it has to wait for witnesses; it goes on when they have answered. */
  readonly whileWaiting?: (waiting: Waiting) => Promise<void>;
}

/**
 * Opens a data folder and puts its rooms together: the one process that writes.
 * @throws ServerError folder, config, witness; AuthorityError passphrase, key; StoreError locked, newer; LedgerError
 */
export async function openDeployment(options: OpenOptions): Promise<Deployment> {
  const { dir, witnessCommand, keyPassphrase } = options;
  const limits = { ...defaultLimits, ...options.limits };
  const { holdMs, witnessMs } = limits;
  const config = readConfig(dir);
  settleKeys(dir);
  const keyReader = await openKeys(dir, keyPassphrase);
  const keys = readServerKeys(dir, keyReader);
  const now = () => systemClock.now();
  const witness: LocalWitness = await localWitness(config.witness.state, witnessCommand(config.witness.state));
  let opened: Ledger | undefined;
  try {
    const ledger = await openLedger({
      folder: dir,
      logKeys: readLogKeys(dir, config.origin, keyReader),
      signer: keys.receipt,
      migrations,
      ...ledgerSettings(config, witness.url),
      clock: now,
    });
    opened = ledger;
    const trustFile = (by: Config) => trustFileOf(roleKeysOf(ledger.series('keys')), by);
    if (!ledger.isReady) {
      tellWhoIsAway(ledger);
      await options.whileWaiting?.({ dir, config, ledger, trustFile: () => trustFile(config) });
    }
    await ledger.ready;
    const db = ledger.database;
    const tools = new ToolRegistry(db);
    const secretsKey = await secretsKeyOf(dir, keyReader, keyPassphrase);
    const secrets = openStaticSecrets(db, secretsKey);
    const brokerGround: BrokerGround = { origin: config.origin, secrets, tools };
    const brokers = [
      ...config.forges.map(forgeBrokerOf),
      ...config.brokers.map((broker) => toolBrokerOf(broker, brokerGround)),
    ];
    const objects = openObjects(objectFolder(dir));
    const retention = retentionOf(config);
    const clock = systemClock;
    const authority = await openAuthority({ dir, keys, ledger, db, objects, clock, brokers, retention });
    await stateConfiguration(dir, ledger);
    await closeImplicitTasks(authority);
    const relay = await GitRelay.start();
    const timestamps = new Timestamps({ ledger, clock: now });
    timestamps.follow(timestampPlan(config));
    const callbacks = new Callbacks({ ledger, secrets, clock, key: keys.token });
    const stopRetention = startRetention(authority.retention, systemClock);
    const pins = new Pins(db, ledger, { agent: 'none', tool: 'same-uid' });
    const implicitTask = () => new ImplicitTask(authority, 'a session of Claude Code, told by its hooks,');
    const { attest } = config;
    const prompts = new Prompts(
      (intent, call, exchange) => void authority.actions.confirmPrompt(intent, call, exchange),
    );
    authority.tasks.onClose((task) => prompts.forget(task));
    const page = () => approvalsUrl(options);
    const walk = new Walk({ authority, now, holdMs, witnessMs, attest, prompts, page });
    const closeAsks = new CloseAsks(db);
    const deployment: Deployment = {
      dir,
      config,
      started: config,
      ledger,
      timestamps,
      callbacks,
      authority,
      relay,
      tools,
      endpointKeys: new EndpointKeys(db, tools),
      modelKeys: new ModelKeys(db),
      prompts,
      brokerGround,
      sealedFiles: openSealedFiles(db, secretsKey),
      pins,
      walk,
      hooks: new HookDesk({ authority, pins, now, prompts, implicitTask, idleMs }),
      api: new ApiDesk({
        ...{ authority, ledger, walk, pins, tools, closeAsks, prompts, now, answerMs: limits.answerMs },
        keyed: new KeyedActions(db, now),
        headers: (tool, task) => filledHeaders(tool, credentialsOf(deployment, tool, task)),
      }),
      closeAsks,
      reconcile: new Reconcile({ db, ledger, authority, now }),
      limits,
      trustFile: () => trustFile(deployment.config),
      async close() {
        await deployment.hooks.close();
        await deployment.api.close();
        await stopRetention();
        await callbacks.close();
        await timestamps.close();
        await relay.close();
        await authority.close();
        await ledger.close();
        await witness.stop();
      },
    };
    return deployment;
  } catch (error) {
    await opened?.close();
    await witness.stop();
    throw error;
  }
}

function approvalsUrl({ url }: OpenOptions): string | null {
  const base = url?.() ?? null;
  return base && `${base}/approvals/`;
}

function tellWhoIsAway(ledger: Ledger): void {
  const away = ledger
    .witnessHealth()
    .flatMap(({ answers, failed }) => (answers === false && failed ? [failed.why] : []));
  process.stderr.write(`deed: waiting until enough witnesses confirm that this is the newest state\n`);
  for (const why of away) process.stderr.write(`  ${why}\n`);
}

/** The sessions of implicit tasks ended with the run that opened them. */
async function closeImplicitTasks({ tasks }: Authority): Promise<void> {
  const implicit = tasks.openTasks().filter((task) => task.implicit);
  await Promise.all(implicit.map(({ id }) => tasks.close(id, 'disconnect')));
}
