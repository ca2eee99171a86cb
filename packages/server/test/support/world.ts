import { sign as cryptoSign, type KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request as httpRequest, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  encodeApproval,
  type PredicateName,
  parseStatement,
  type Statement,
  type StatementWith,
  toBase64,
} from '@deed/evidence';
import { startWitness, type Witness } from '@deed/ledger';
import {
  enrolmentChallenge,
  type InitializedServer,
  initServer,
  keyPersonSigner,
  makeAssertion,
  makeProof,
  newP256,
  readSealedKey,
  type Serving,
  serve,
  spkiOf,
  systemClock,
} from '../../src/index.ts';
import type { ServeOptions } from '../../src/serve.ts';
import { Connection, type Sign } from './connection.ts';

const passphrase = 'test';

export interface Answered {
  readonly status: number;
  readonly type: string;
  // biome-ignore lint/suspicious/noExplicitAny: each test knows what it asked for
  readonly body: any;
}

export interface Agent {
  readonly id: string;
  readonly spiffe: string;
  readonly key: KeyObject;
}

export interface Worker {
  readonly agent: Agent;
  readonly task: string;
  readonly sign: Sign;
}

export interface WorldOptions extends Partial<ServeOptions> {
  readonly policyFolder?: string;
}

/** Starts a script with Node, without the server hashing the whole of Node each time a session begins. */
export const node = (...script: readonly string[]): readonly string[] => ['/usr/bin/env', 'node', ...script];

export const fixture = (name: string) => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));

/** A deployment in a folder of its own, served in this process on its unix socket, with a witness beside it. */
export class World {
  readonly base = realpathSync(mkdtempSync(join(tmpdir(), 'deed-world-')));
  readonly dir = join(this.base, 'data');
  readonly marksFile = join(this.base, 'marks');
  readonly descriptionFile = join(this.base, 'description');
  made!: InitializedServer;
  serving!: Serving;
  private witness: Witness | undefined;
  private stopGate = () => {};

  static async begin({ policyFolder, ...options }: WorldOptions = {}): Promise<World> {
    const world = new World();
    process.env.XDG_RUNTIME_DIR = join(world.base, 'run');
    mkdirSync(process.env.XDG_RUNTIME_DIR, { mode: 0o700 });
    world.made = await initServer({
      dir: world.dir,
      passphrase,
      rootFile: join(world.base, 'root.json'),
      personFile: join(world.base, 'person.json'),
      witnessFolder: join(world.base, 'witness'),
      scryptCost: 2 ** 10,
      ...(policyFolder === undefined ? {} : { policyFolder }),
    });
    await world.witnessBack();
    world.serving = await world.serve(options);
    return world;
  }

  async witnessAway(): Promise<void> {
    await this.witness?.close();
    this.witness = undefined;
  }

  async witnessBack(): Promise<void> {
    this.witness = await startWitness({ stateFolder: join(this.base, 'witness') });
  }

  serve(options: Partial<ServeOptions> = {}): Promise<Serving> {
    return serve({ dir: this.dir, witnessCommand: () => ['/bin/false'], ...options });
  }

  async api(method: string, path: string, body?: unknown): Promise<Answered> {
    const request = httpRequest({ socketPath: this.serving.socket, method, path });
    request.end(body === undefined || typeof body === 'string' ? body : JSON.stringify(body));
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    let got = '';
    for await (const part of response.setEncoding('utf8')) got += part;
    const type = String(response.headers['content-type']);
    return { status: response.statusCode ?? 0, type, body: type.includes('json') ? JSON.parse(got) : got };
  }

  /** As `api`, and throws what is not a success. */
  async post(path: string, body: unknown = {}): Promise<Answered['body']> {
    const answered = await this.api('POST', path, body);
    if (answered.status >= 300) throw new Error(`${path}: ${JSON.stringify(answered.body)}`);
    return answered.body;
  }

  /** Registers a tool server and gives its command. */
  async tool(name: string, argv: readonly string[], kind: 'plain' | 'filesystem' = 'plain', gate = '') {
    const env = { MARKS: this.marksFile, DESCRIPTION: this.descriptionFile, ...(gate === '' ? {} : { GATE: gate }) };
    await this.post('/v1/tools', { name, kind, argv, env });
    return argv;
  }

  /** The scripted fixture, registered as `fixture`. */
  scripted(gate?: string): Promise<readonly string[]> {
    return this.tool('fixture', node(fixture('scripted.mjs')), 'plain', gate);
  }

  async enrol(name = 'agent'): Promise<Agent> {
    const { code, origin } = await this.post('/v1/agents/invite', { name });
    const key = newP256();
    const spki = spkiOf(key);
    const proof = cryptoSign('sha256', enrolmentChallenge(origin, code, spki), key);
    const fields = { code, spki: toBase64(spki), proof: toBase64(proof) };
    return { ...(await this.post('/v1/agents/redeem', fields)), key };
  }

  /** An agent at work on an open task, which may use any tool of the servers named, at any tier. */
  async worker(allow: readonly object[] = [{ server: 'fixture' }], known?: Agent): Promise<Worker> {
    const agent = known ?? (await this.enrol());
    const { task } = await this.post('/v1/tasks', {
      objective: 'Mend the typo',
      agent: agent.id,
      principal: { kind: 'person', id: 'owner', authenticated: 'a test' },
      allow,
      ceiling: 'approve',
    });
    return this.signer(agent, task);
  }

  /** The agent at work on an open task, with a new token. */
  async signer(agent: Agent, task: string): Promise<Worker> {
    const { origin } = this.made;
    const assertion = await makeAssertion(agent.key, { spiffe: agent.spiffe, origin, task }, systemClock);
    const { token, nonce } = await this.post(`/v1/tasks/${task}/token`, { assertion });
    const sign: Sign = async (body) => `${token} ${await makeProof(agent.key, token, body, systemClock, nonce)}`;
    return { agent, task, sign };
  }

  connect(argv: readonly string[], worker: Worker | null): Promise<Connection> {
    const sign: Sign = worker?.sign ?? (async () => '-');
    return Connection.open({ socket: this.serving.socket, argv, task: worker?.task ?? null, sign });
  }

  /** The same to a tool server by its name. */
  connectTo(server: string, worker: Worker): Promise<Connection> {
    return Connection.open({ socket: this.serving.socket, argv: [], server, task: worker.task, sign: worker.sign });
  }

  closeTask(task: string): Promise<unknown> {
    return this.post(`/v1/tasks/${task}/close`, { reason: 'operator' });
  }

  /** A server that a fixture's `gate` asks before it answers: `whenAsked` runs meanwhile. */
  async gate(whenAsked: () => void | Promise<void>): Promise<string> {
    const server = createServer(async (_request, response) => {
      await whenAsked();
      response.end();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    this.stopGate = () => {
      server.close();
      server.closeAllConnections();
    };
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  }

  /** The id of the action that waits for a person, as soon as there is one. */
  async held(): Promise<string> {
    const { body } = await this.api('GET', '/v1/approvals?wait=20');
    return body.approvals[0].id;
  }

  /** Has the first person answer a hold, over the API. */
  async answer(action: string, decision: 'approve' | 'reject'): Promise<Answered> {
    return this.api('POST', `/v1/approvals/${action}`, await this.word(action, decision));
  }

  /** What the person would send to answer a hold. */
  async word(action: string, decision: 'approve' | 'reject'): Promise<object> {
    const { body } = await this.api('GET', `/v1/approvals/${action}`);
    const signer = keyPersonSigner(await readSealedKey(join(this.base, 'person.json'), passphrase));
    const bytes = encodeApproval({ ...body.word, person: this.made.person, decision, arguments: null });
    return { person: this.made.person, word: await signer.word('deed-approval-v1', bytes) };
  }

  /** The committed statements of a task, `seq` before `after`, or of another series. */
  statements(series: string): readonly Statement[] {
    const { ledger } = this.serving.deployment;
    return [series, `${series}/after`].flatMap((name) =>
      ledger.series(name).map(({ envelope }) => parseStatement(envelope.payload)),
    );
  }

  of<Name extends PredicateName>(series: string, predicate: Name): readonly StatementWith<Name>[] {
    return this.statements(series).filter(
      (statement): statement is StatementWith<Name> => statement.predicate === predicate,
    );
  }

  /** Resolves when all that was recorded so far is committed: entries commit in order. */
  async settled(): Promise<void> {
    await this.post('/v1/grants/waive', { days: 1 });
  }

  /** The messages that the fixture got. */
  marks(): readonly string[] {
    return existsSync(this.marksFile) ? readFileSync(this.marksFile, 'utf8').split('\n').slice(0, -1) : [];
  }

  /** The calls that the fixture got. */
  calls(): readonly string[] {
    return this.marks().filter((line) => line.includes('tools/call'));
  }

  /** From its next listing on the fixture describes its tools in these words. */
  describe(text: string): void {
    writeFileSync(this.descriptionFile, text);
  }

  async end(): Promise<void> {
    this.stopGate();
    await this.serving.close();
    await this.witnessAway();
    rmSync(this.base, { recursive: true, force: true });
  }
}
