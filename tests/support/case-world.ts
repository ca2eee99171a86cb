import { execFile } from 'node:child_process';
import type { KeyObject } from 'node:crypto';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import {
  type Agent,
  type Authority,
  authorityMigrations,
  type Conclusion,
  enrolmentChallenge,
  gitForgeBroker,
  type IssuedToken,
  keySigner,
  makeAssertion,
  objectFolder,
  openAuthority,
  type Proposal,
  readLogKeys,
  readServerKeys,
  systemClock,
  type Task,
  type TaskFields,
} from '@deed/authority';
import {
  type ActionRecord,
  newId,
  type Operands,
  parseStatement,
  type Report,
  type Statement,
  sha256,
  toBase64Url,
  toHex,
  utf8,
  verify,
} from '@deed/evidence';
import { Pins, type Tool, toolMigrations } from '@deed/gateway';
import { type Ledger, openLedger, startWitness, type Witness } from '@deed/ledger';
import { addSource, Reconcile, reconcileMigrations } from '@deed/reconcile';
import {
  type InitializedServer,
  initServer,
  keyPersonSigner,
  makeProof,
  newP256,
  type PersonSigner,
  readConfig,
  readSealedKey,
  spkiOf,
} from '@deed/server';
import { openObjects } from '@deed/store';
import { type RunningForge, startForge } from '../../examples/forge/start.ts';
import { exportCase } from '../../packages/server/src/case-export.ts';

const run = promisify(execFile);
const main = 'refs/heads/main';
const files: Tool = {
  name: 'files',
  kind: 'filesystem',
  argv: ['/bin/files'],
  env: {},
  executable: 'e'.repeat(64),
  cwd: null,
  credentials: [],
  url: null,
  headers: {},
  operations: [],
};
const git: Tool = { ...files, name: 'git', kind: 'git', argv: ['/bin/git'] };

export interface Moved {
  readonly old: string;
  readonly new: string;
}

/** A call as an agent makes it. */
export interface Call {
  readonly tool: string;
  readonly args?: string;
  /** A path that it touches, by default none. */
  readonly path?: string;
  /** A push of the main branch. */
  readonly push?: Moved;
}

/** A whole deployment with witness and forge in this process: actions are driven by hand, everything else is as in production. */
export class CaseWorld {
  readonly folder = realpathSync(mkdtempSync(join(tmpdir(), 'deed-case-')));
  readonly dir = join(this.folder, 'data');
  readonly forgeDir = join(this.folder, 'forge');
  readonly secrets = new Map<string, string>();
  init!: InitializedServer;
  ledger!: Ledger;
  authority!: Authority;
  reconcile!: Reconcile;
  forge!: RunningForge;
  person!: PersonSigner;
  private pins!: Pins;
  private witness!: Witness;

  static async begin(): Promise<CaseWorld> {
    const here = new CaseWorld();
    const personFile = join(here.folder, 'person.json');
    for (const name of ['forge', 'home']) mkdirSync(join(here.folder, name));
    here.init = await initServer({
      ...{ dir: here.dir, passphrase: 'p', rootFile: join(here.folder, 'root.json'), personFile, scryptCost: 2 ** 10 },
      witnessFolder: join(here.folder, 'witness'),
    });
    here.person = keyPersonSigner(await readSealedKey(personFile, 'p'));
    here.witness = await startWitness({ stateFolder: here.init.witnessFolder });
    here.forge = await startForge(here.forgeDir);
    await here.forge.createRepository('service');
    await here.forge.putCredential('seed', 'seed', ['service']);
    await here.push({ id: 'seed', secret: 'seed' }, 'first');
    await here.watermarkPasses();
    await here.open();
    await addSource(here.ledger.database, { id: 'forge', kind: 'git-forge', config: { dir: here.forgeDir } });
    return here;
  }

  private async open(): Promise<void> {
    const { dir, init } = this;
    const { name, vkey } = readConfig(dir).witness;
    this.ledger = await openLedger({
      folder: dir,
      logKeys: readLogKeys(dir, init.origin),
      signer: readServerKeys(dir).receipt,
      migrations: [...authorityMigrations, ...toolMigrations, ...reconcileMigrations],
      witnesses: [{ name, vkey, url: this.witness.url }],
      publishIntervalMs: 20,
    });
    const { ledger } = this;
    const db = ledger.database;
    this.authority = await openAuthority({ dir, ledger, objects: openObjects(objectFolder(dir)) });
    this.authority.credentials.addBroker({
      ...gitForgeBroker({ name: 'forge', adminUrl: '', adminToken: '' }),
      mint: async ({ id, targets }) => {
        const password = toBase64Url(crypto.getRandomValues(new Uint8Array(24)));
        await this.forge.putCredential(id, password, targets);
        this.secrets.set(id, password);
        return { id, secret: { user: id, password } };
      },
      revoke: (id) => this.forge.revokeCredential(id),
    });
    this.pins = new Pins(db, ledger, { agent: 'none', tool: 'same-uid' });
    this.reconcile = new Reconcile({ db, ledger, authority: this.authority, now: Date.now });
  }

  /** Loses what only memory holds, and takes up what is on the disk. */
  async crash(): Promise<void> {
    this.authority.tasks.stop();
    this.authority.credentials.stop();
    await this.ledger.close();
    await this.open();
  }

  async end(): Promise<void> {
    await this.authority.close();
    await this.ledger.close();
    await this.witness.close();
    await this.forge.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  async worker(over: Partial<TaskFields> = {}): Promise<CaseWorker> {
    const { agents, tasks, tokens } = this.authority;
    const key = newP256();
    const { code } = agents.invite('releaser');
    const challenge = enrolmentChallenge(this.init.origin, code, spkiOf(key));
    const agent = await agents.redeem(code, spkiOf(key), await keySigner(key).sign(challenge));
    const task = await tasks.open({
      objective: 'Release the service',
      principal: { kind: 'person', id: 'prn_1', authenticated: 'local user' },
      agent: agent.id,
      allow: [
        { server: 'files', paths: { under: ['/srv'] } },
        { server: 'git', git: { repositories: ['service'], refs: [main] } },
      ],
      ceiling: 'approve',
      ...over,
    });
    const of = { spiffe: agent.spiffe, origin: this.init.origin, task: task.id };
    const issued = await tokens.issue(task.id, await makeAssertion(key, of, systemClock));
    return new CaseWorker(this, key, agent, task, issued);
  }

  pinned(tool: string): { readonly server: Tool; readonly digest: string } {
    const server = tool.startsWith('git_') ? git : files;
    const digest = toHex(sha256(utf8(`{"name":"${tool}"}`)));
    this.pins.check(server, { name: tool, digest, hints: {} });
    return { server, digest };
  }

  /** A real push over HTTP with this credential, and what it moved. It rejects when the forge refuses. */
  async push({ id, secret }: { readonly id: string; readonly secret: string }, text: string): Promise<Moved> {
    const copy = mkdtempSync(join(this.folder, 'copy-'));
    const url = new URL(`${this.forge.url}service.git`);
    url.username = id;
    url.password = secret;
    const bare = join(this.forgeDir, 'repositories', 'service.git');
    await this.git(copy, 'init', '--quiet', '--initial-branch=main');
    await this.git(copy, 'pull', '--quiet', bare, 'main').catch(() => '');
    const old = (await this.git(copy, 'rev-parse', '--verify', '--quiet', 'HEAD').catch(() => '0'.repeat(40))).trim();
    writeFileSync(join(copy, 'file.txt'), text);
    await this.git(copy, 'add', '.');
    await this.git(copy, 'commit', '--quiet', '--message', text);
    await this.git(copy, 'push', '--quiet', url.href, 'HEAD:main');
    return { old, new: (await this.git(copy, 'rev-parse', 'HEAD')).trim() };
  }

  private async git(cwd: string, ...args: readonly string[]): Promise<string> {
    const env = {
      PATH: process.env.PATH ?? '',
      HOME: join(this.folder, 'home'),
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_CONFIG_GLOBAL: '/dev/null',
      GIT_TERMINAL_PROMPT: '0',
      GIT_AUTHOR_NAME: 'A',
      GIT_AUTHOR_EMAIL: 'a@test.invalid',
      GIT_COMMITTER_NAME: 'A',
      GIT_COMMITTER_EMAIL: 'a@test.invalid',
    };
    return (await run('git', [...args], { cwd, env })).stdout;
  }

  /** Requests of the administration are recorded like any other: afterwards the forge's record reaches past this moment. */
  async watermarkPasses(): Promise<void> {
    for (let i = 0; i < 2; i++) await this.forge.putCredential('nobody', 'x', []);
  }

  statements(series: string): readonly Statement[] {
    return this.ledger.series(series).map(({ envelope }) => parseStatement(envelope.payload));
  }

  /** The types of the findings about a task, once the forge's record reaches past this moment. */
  async reconciled(task: string): Promise<readonly string[]> {
    await this.watermarkPasses();
    return (await this.reconcile.run(task)).findings.map(({ type }) => type).sort();
  }

  export(task: string): Promise<Uint8Array> {
    const { ledger, authority } = this;
    const { trustFile } = this.init;
    const options = { db: ledger.database, ledger, authority, trustFile, writer: 'test', now: Date.now };
    return exportCase({ ...options, witnessMs: 10_000 }, task);
  }

  async verified(task: string): Promise<Report> {
    return verify(await this.export(task), { trust: this.init.trustFile });
  }
}

/** An enrolled agent with a task that has a credential at the forge. */
export class CaseWorker {
  readonly world: CaseWorld;
  readonly key: KeyObject;
  readonly agent: Agent;
  readonly task: Task;
  private readonly token: string;
  private readonly nonce: string;

  constructor(world: CaseWorld, key: KeyObject, agent: Agent, task: Task, { token, nonce }: IssuedToken) {
    this.world = world;
    this.key = key;
    this.agent = agent;
    this.task = task;
    this.token = token;
    this.nonce = nonce;
  }

  get credential(): { readonly id: string; readonly secret: string } {
    const id = this.world.authority.credentials.ofTask(this.task.id)[0]?.id ?? '';
    return { id, secret: this.world.secrets.get(id) ?? '' };
  }

  /** Admits and decides a call. */
  async decided(call: Call) {
    const { actions } = this.world.authority;
    const { tool, args = '{}' } = call;
    const body = utf8(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"${tool}","arguments":${args}}}`);
    const proof = await makeProof(this.key, this.token, body, systemClock, this.nonce);
    const admitted = await actions.admit({ kind: 'token', token: this.token, proof, body });
    const proposal = this.propose(call);
    return { admitted, proposal, verdict: actions.decide(admitted, proposal) };
  }

  /** Takes a call as far as the moment of its dispatch: decided, approved where need be, its intent durable and witnessed. */
  async begin(call: Call) {
    const { actions, approvals } = this.world.authority;
    const { admitted, proposal, verdict } = await this.decided(call);
    let given: readonly string[] = [];
    if (verdict.needsApproval) {
      const hold = approvals.hold(admitted, proposal, verdict, utf8(`run ${call.tool}\n`));
      const bytes = approvals.wordBytes(hold.id, this.world.init.person, 'approve');
      const word = await this.world.person.word('deed-approval-v1', bytes);
      const settled = await approvals.answer(this.world.init.person, word);
      if (settled.kind !== 'approved') throw new Error(`the approval was ${settled.kind}`);
      given = settled.approvals;
    }
    const intent = actions.intend(admitted, proposal, verdict, given);
    await intent.durable;
    const witnessed = verdict.tier === 'approve' ? await intent.witnessed() : null;
    const anchor = witnessed && {
      ...{ size: witnessed.size, root: toHex(witnessed.root), note: toHex(sha256(utf8(witnessed.note))) },
    };
    const conclude = async (over: Partial<Conclusion> = {}): Promise<void> => {
      const result = { bytes: utf8('{"content":[]}') };
      // Not `actions`: after a crash it is another's.
      const { actions: now } = this.world.authority;
      await now.conclude(intent, { status: 'ok', result, effects: effectsOf(call), anchor, ...over }).durable;
    };
    return { action: proposal.action, intent, conclude };
  }

  /** A call that succeeds. */
  async act(call: Call): Promise<string> {
    const { action, conclude } = await this.begin(call);
    await conclude();
    return action;
  }

  /** A call that is refused with its decision. */
  async refused(call: Call): Promise<void> {
    const { admitted, proposal, verdict } = await this.decided(call);
    if (verdict.outcome === 'allow') throw new Error(`${call.tool} was allowed`);
    const { reason, detail } = verdict;
    await this.world.authority.actions.refuse(admitted, proposal, reason ?? 'denied', detail, { verdict }).durable;
  }

  async close(): Promise<void> {
    await this.world.authority.tasks.close(this.task.id, 'principal');
    await this.world.authority.credentials.settled(this.task.id);
  }

  private propose({ tool, args = '{}', path, push }: Call): Proposal {
    const { server, digest } = this.world.pinned(tool);
    const action = newId('action', Date.now());
    const method = 'tools/call';
    const { executable, name } = server;
    const url = `${this.world.forge.url}service.git`;
    const operands: Operands = push
      ? {
          ...{ kind: 'git-push', remote: 'origin', url, repository: 'service' },
          ...{ updates: [{ ref: main, old: push.old, new: push.new, kind: 'forward' }], rejected: [] },
          ...{ commits: 1, log: [], diffstat: '' },
        }
      : path === undefined
        ? { kind: 'none' }
        : { kind: 'paths', paths: [{ argument: 'path', given: path, real: path }] };
    const record: ActionRecord = {
      ...{ v: 1, action, task: this.task.id, method, server: name, tool, definition: digest, executable },
      ...{ arguments: args, operands, author: null },
    };
    return { action, method, record, hints: {}, tool: { server: name, name: tool, definition: digest, executable } };
  }
}

function effectsOf({ push }: Call): (Conclusion['effects'] & object) | null {
  if (!push) return null;
  return {
    v: 1,
    effects: [{ kind: 'git-ref', repository: 'service', ref: main, ...push, status: 'ok', request: null }],
  };
}
