import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { authorityMigrations, type CredentialBroker, gitForgeBroker, systemClock } from '@deed/authority';
import { type Effects, newId, type Operands, parseStatement, type Statement, toBase64Url, utf8 } from '@deed/evidence';
import { type RunningForge, startForge } from '../../../examples/forge/start.ts';
import { propose, Worker, World } from '../../authority/test/world.ts';
import { Reconcile } from '../src/reconcile.ts';
import { reconcileMigrations } from '../src/schema.ts';
import { addSource } from '../src/sources.ts';

const run = promisify(execFile);
const main = 'refs/heads/main';

export interface Moved {
  readonly old: string;
  readonly new: string;
}

/** A deployment, a real forge with one repository, and reconciliation between them. */
export class ForgeWorld {
  readonly folder = mkdtempSync(join(tmpdir(), 'deed-reconcile-'));
  readonly forgeDir = join(this.folder, 'forge');
  readonly secrets = new Map<string, string>();
  forge!: RunningForge;
  world!: World;
  reconcile!: Reconcile;

  static async begin(): Promise<ForgeWorld> {
    const here = new ForgeWorld();
    mkdirSync(here.forgeDir);
    mkdirSync(join(here.folder, 'home'));
    here.forge = await startForge(here.forgeDir);
    await here.forge.createRepository('service');
    await here.forge.putCredential('seed', 'seed', ['service']);
    await here.push('seed', 'seed', 'first');
    here.world = await World.begin({ ...systemClock, advance: () => {} });
    here.world.brokers = [here.broker()];
    here.world.migrations = [...authorityMigrations, ...reconcileMigrations];
    await here.world.restart();
    await here.watermarkPasses();
    await addSource(here.db, { id: 'forge', kind: 'git-forge', config: { dir: here.forgeDir } });
    here.reconcile = here.open();
    return here;
  }

  get db() {
    return this.world.ledger.database;
  }

  open(): Reconcile {
    const { ledger, authority } = this.world;
    return new Reconcile({ db: this.db, ledger, authority, now: Date.now });
  }

  async end(): Promise<void> {
    await this.world.end();
    await this.forge.stop();
  }

  /** Mints and revokes at the real forge. */
  private broker(): CredentialBroker {
    return {
      ...gitForgeBroker({ name: 'forge', adminUrl: '', adminToken: '' }),
      mint: async ({ id, targets }) => {
        const password = toBase64Url(crypto.getRandomValues(new Uint8Array(24)));
        await this.forge.putCredential(id, password, targets);
        this.secrets.set(id, password);
        return { id, secret: { user: id, password } };
      },
      revoke: (id) => this.forge.revokeCredential(id),
    };
  }

  /** An agent with a task that has a credential at the forge. */
  async worker(): Promise<{ readonly worker: Worker; readonly credential: string; readonly secret: string }> {
    const worker = await Worker.begin(this.world, {
      allow: [{ server: 'git', git: { repositories: ['service'], refs: [main] } }],
      ceiling: 'approve',
    });
    const credential = this.world.authority.credentials.ofTask(worker.task.id)[0]?.id ?? '';
    return { worker, credential, secret: this.secrets.get(credential) ?? '' };
  }

  /** A real push over HTTP with this credential; what it moved. It rejects when the forge refuses. */
  async push(user: string, secret: string, text: string, repository = 'service'): Promise<Moved> {
    const copy = mkdtempSync(join(this.folder, 'copy-'));
    const url = new URL(`${this.forge.url}${repository}.git`);
    url.username = user;
    url.password = secret;
    await this.git(copy, 'init', '--quiet', '--initial-branch=main');
    await this.git(copy, 'pull', '--quiet', join(this.forgeDir, 'repositories', 'service.git'), 'main').catch(() => '');
    const old = (await this.git(copy, 'rev-parse', '--verify', '--quiet', 'HEAD').catch(() => '0'.repeat(40))).trim();
    writeFileSync(join(copy, 'file.txt'), text);
    await this.git(copy, 'add', '.');
    await this.git(copy, 'commit', '--quiet', '--message', text);
    const target = (await this.git(copy, 'rev-parse', 'HEAD')).trim();
    await this.git(copy, 'push', '--quiet', url.href, 'HEAD:main');
    return { old, new: target };
  }

  async git(cwd: string, ...args: readonly string[]): Promise<string> {
    const identity = {
      GIT_AUTHOR_NAME: 'A',
      GIT_AUTHOR_EMAIL: 'a@test.invalid',
      GIT_COMMITTER_NAME: 'A',
      GIT_COMMITTER_EMAIL: 'a@test.invalid',
    };
    const env = {
      PATH: process.env.PATH ?? '',
      HOME: join(this.folder, 'home'),
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_CONFIG_GLOBAL: '/dev/null',
      GIT_TERMINAL_PROMPT: '0',
      ...identity,
    };
    return (await run('git', [...args], { cwd, env })).stdout;
  }

  /** The gateway's part of an action that is to move a ref, as far as the moment at which it is dispatched. */
  async begin(worker: Worker, moved: Moved) {
    const { actions, approvals } = this.world.authority;
    const base = propose(this.world, worker.task.id, 'sync', { server: 'git' });
    const operands: Operands = {
      ...{ kind: 'git-push', remote: 'origin', url: `${this.forge.url}service.git`, repository: 'service' },
      ...{ updates: [{ ref: main, ...moved, kind: 'forward' }], rejected: [], commits: 1, log: [], diffstat: '' },
    };
    const proposal = { ...base, record: { ...base.record, operands } };
    const admitted = await worker.admitted('sync');
    const verdict = actions.decide(admitted, proposal);
    const { id, settled } = approvals.hold(admitted, proposal, verdict, utf8('a push'));
    const { person } = this.world.init;
    const bytes = approvals.wordBytes(id, person, 'approve');
    await approvals.answer(person, await this.world.person.word('deed-approval-v1', bytes));
    const approved = await settled;
    if (approved.kind !== 'approved') throw new Error(`the push was ${approved.kind}`);
    const intent = actions.intend(admitted, proposal, verdict, approved.approvals);
    await intent.durable;
    return { action: proposal.action, intent };
  }

  /**
   * The whole of such an action, with the effects that the gateway saw. `effects: 'none'`: the tool reports success, and
   * nothing crossed the wire.
   */
  async receipt(worker: Worker, moved: Moved, effects: 'seen' | 'none' = 'seen') {
    const { action, intent } = await this.begin(worker, moved);
    return { action, outcome: await this.conclude(intent, moved, effects) };
  }

  async conclude(intent: { readonly digest: string }, moved: Moved, effects: 'seen' | 'none' = 'seen') {
    const update = {
      kind: 'git-ref',
      repository: 'service',
      ref: main,
      ...moved,
      status: 'ok',
      request: null,
    } as const;
    const seen: Effects = { v: 1, effects: effects === 'none' ? [] : [update] };
    const result = { bytes: utf8('{}') };
    const outcome = this.world.authority.actions.conclude(intent, { status: 'ok', result, effects: seen });
    await outcome.durable;
    return outcome.digest;
  }

  /** Makes the forge's record reach past this moment: a request of the administration is recorded like any other. */
  async watermarkPasses(): Promise<void> {
    await this.forge.putCredential(newId('credential', Date.now()), 'x', []);
    await this.forge.putCredential(newId('credential', Date.now()), 'x', []);
  }

  /** A request that the forge refuses, as often as wanted. */
  async knock(user: string, secret: string, times = 1, repository = 'service'): Promise<void> {
    const authorization = `Basic ${Buffer.from(`${user}:${secret}`).toString('base64')}`;
    const url = `${this.forge.url}${repository}.git/info/refs?service=git-receive-pack`;
    for (let i = 0; i < times; i++) await (await fetch(url, { headers: { authorization } })).text();
  }

  statements(series: string): readonly Statement[] {
    return this.world.ledger.series(series).map(({ envelope }) => parseStatement(envelope.payload));
  }
}
