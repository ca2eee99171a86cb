import type { KeyObject } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type ActionRecord,
  newId,
  type Operands,
  type PersonRole,
  parseStatement,
  type Statement,
  type ToolRef,
  toBase64,
  utf8,
} from '@deed/evidence';
import { type Ledger, openLedger } from '@deed/ledger';
import { type Migration, openObjects } from '@deed/store';
import type { Admitted, Proposal } from '../src/actions/proposal.ts';
import { type Agent, enrolmentChallenge } from '../src/agents.ts';
import { type Authority, openAuthority } from '../src/authority.ts';
import type { CredentialBroker } from '../src/brokers/broker.ts';
import { type Initialized, initDeployment, objectFolder } from '../src/init.ts';
import { readServerKeys } from '../src/keys/key-folder.ts';
import { readLogKeys } from '../src/keys/log-key-files.ts';
import { newP256, signP256, spkiOf } from '../src/keys/p256.ts';
import { keyPersonSigner, type PersonSigner } from '../src/keys/person-signer.ts';
import { readSealedKey } from '../src/keys/sealed-key.ts';
import type { Change, Ordered } from '../src/people/people.ts';
import { authorityMigrations } from '../src/schema.ts';
import type { Task, TaskFields } from '../src/tasks/task.ts';
import { makeAssertion, makeProof } from '../src/tokens/proof.ts';
import type { IssuedToken } from '../src/tokens/tokens.ts';
import { type TestClock, testClock } from './clock.ts';

export const executable = 'e'.repeat(64);

/** A deployment on the disk, with real keys, ledger and policy, that can be left and taken up again. */
export class World {
  readonly clock: TestClock;
  readonly base = mkdtempSync(join(tmpdir(), 'deed-authority-'));
  readonly dir = join(this.base, 'data');
  brokers: readonly CredentialBroker[] = [];
  migrations: readonly Migration[] = authorityMigrations;
  init!: Initialized;
  ledger!: Ledger;
  authority!: Authority;
  person!: PersonSigner;

  constructor(clock: TestClock = testClock()) {
    this.clock = clock;
  }

  static async begin(clock?: TestClock): Promise<World> {
    const world = new World(clock);
    world.init = await initDeployment({
      dir: world.dir,
      passphrase: 'p',
      rootFile: join(world.base, 'root.json'),
      personFile: join(world.base, 'person.json'),
      clock: world.clock,
      scryptCost: 2 ** 10,
    });
    world.person = keyPersonSigner(await readSealedKey(join(world.base, 'person.json'), 'p'));
    await world.open();
    return world;
  }

  async open(): Promise<void> {
    this.ledger = await openLedger({
      folder: this.dir,
      logKeys: readLogKeys(this.dir, this.init.origin),
      signer: readServerKeys(this.dir).receipt,
      migrations: this.migrations,
      clock: this.clock.now,
    });
    const { dir, ledger, clock, brokers } = this;
    this.authority = await openAuthority({ dir, ledger, clock, brokers, objects: openObjects(objectFolder(dir)) });
  }

  async end(): Promise<void> {
    await this.authority.close();
    await this.ledger.close();
  }

  async restart(how: 'clean' | 'unclean' = 'clean'): Promise<void> {
    if (how === 'clean') await this.authority.close();
    await this.ledger.close();
    await this.open();
  }

  async enrol(
    name = 'coder',
    declared: { readonly owner?: string } = {},
  ): Promise<{ readonly key: KeyObject; readonly agent: Agent }> {
    const key = newP256();
    const { code } = this.authority.agents.invite(name, declared);
    const challenge = enrolmentChallenge(this.init.origin, code, spkiOf(key));
    return { key, agent: await this.authority.agents.redeem(code, spkiOf(key), await signP256(key, challenge)) };
  }

  /** Lets somebody in by the word of the first person, who does it alone while nobody else operates. */
  async letIn(
    roles: readonly PersonRole[],
    signer: PersonSigner = keyPersonSigner(newP256()),
  ): Promise<{ readonly id: string; readonly signer: PersonSigner; readonly ordered: Ordered }> {
    const person = newId('person', this.clock.now());
    const key = { kind: signer.kind, public: toBase64(signer.public) };
    const ordered = await this.order({ person, change: { kind: 'enrolled', key, roles: [...roles] } });
    return { id: person, signer, ordered };
  }

  /** Hands in somebody's word for a change: the first person's, if nobody is named. */
  async order(
    change: Change,
    { id, signer }: { readonly id: string; readonly signer: PersonSigner } = {
      id: this.init.person,
      signer: this.person,
    },
  ): Promise<Ordered> {
    const { people } = this.authority;
    return people.order(await signer.word('deed-people-v1', people.wordBytes(change, id)));
  }

  task(agent: string | null, over: Partial<TaskFields> = {}): Promise<Task> {
    return this.authority.tasks.open({
      objective: 'Mend the typo in README.md',
      principal: { kind: 'person', id: 'prn_1', authenticated: 'local user' },
      agent,
      allow: [{ server: 'files' }, { server: 'git', git: { repositories: ['acme/site'], refs: ['refs/heads/fix'] } }],
      ceiling: 'approve',
      ...over,
    });
  }

  async token(key: KeyObject, agent: Agent, task: string): Promise<IssuedToken> {
    const of = { spiffe: agent.spiffe, origin: this.init.origin, task };
    return this.authority.tokens.issue(task, await makeAssertion(key, of, this.clock));
  }

  /** Every statement of a series, parsed by the reader of the verifier. */
  statements(series: string): readonly Statement[] {
    return this.ledger.series(series).map(({ envelope }) => parseStatement(envelope.payload));
  }
}

/** An enrolled agent at work on an open task. */
export class Worker {
  readonly world: World;
  readonly key: KeyObject;
  readonly agent: Agent;
  readonly task: Task;
  private token: string;
  /** For proofs at tier approve. */
  private nonce: string;

  constructor(world: World, key: KeyObject, agent: Agent, task: Task, { token, nonce }: IssuedToken) {
    this.world = world;
    this.key = key;
    this.agent = agent;
    this.task = task;
    this.token = token;
    this.nonce = nonce;
  }

  static async begin(world: World, over: Partial<TaskFields> = {}): Promise<Worker> {
    const { key, agent } = await world.enrol();
    const task = await world.task(agent.id, over);
    return new Worker(world, key, agent, task, await world.token(key, agent, task.id));
  }

  /** A message of the agent: its bytes, with token and proof. */
  async message(tool: string, args = '{}') {
    const body = utf8(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"${tool}","arguments":${args}}}`);
    const proof = await makeProof(this.key, this.token, body, this.world.clock, this.nonce);
    return { kind: 'token', token: this.token, proof, body } as const;
  }

  /** Goes on with the nonce that another was given. */
  borrowing({ nonce }: Worker): this {
    this.nonce = nonce;
    return this;
  }

  async renew(): Promise<void> {
    const { token, nonce } = await this.world.token(this.key, this.agent, this.task.id);
    this.token = token;
    this.nonce = nonce;
  }

  async admitted(tool: string, args = '{}'): Promise<Admitted> {
    return this.world.authority.actions.admit(await this.message(tool, args));
  }

  propose(tool: string, over: Wanted = {}): Proposal {
    return propose(this.world, this.task.id, tool, over);
  }
}

/** What a proposal is to be, where it is not as the others. */
type Wanted = Partial<Proposal> & { readonly args?: string; readonly server?: string; readonly operands?: Operands };

export function propose(
  world: World,
  task: string,
  name: string,
  { args = '{}', server = 'files', operands = { kind: 'none' }, ...over }: Wanted = {},
): Proposal {
  const action = newId('action', world.clock.now());
  const tool: ToolRef = { server, name, definition: null, executable };
  const method = 'tools/call';
  const record: ActionRecord = {
    ...{ v: 1, action, task, method, server, tool: name, definition: null, executable },
    ...{ arguments: args, operands, author: null },
  };
  return { action, method, tool, record, hints: {}, ...over };
}

export const push: Operands = {
  kind: 'git-push',
  remote: 'origin',
  url: 'http://forge/acme/site.git',
  repository: 'acme/site',
  updates: [{ ref: 'refs/heads/fix', old: '1'.repeat(40), new: '2'.repeat(40), kind: 'forward' }],
  rejected: [],
  commits: 1,
  log: [{ id: '2'.repeat(40), subject: 'mend it' }],
  diffstat: ' a | 1 +',
};
