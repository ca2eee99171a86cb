import { type ChildProcess, spawn } from 'node:child_process';
import { sign } from 'node:crypto';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import type { Duplex } from 'node:stream';
import { defaultPolicyFolder, objectFolder, openVault, TaskKeys } from '@deed/authority';
import {
  openPayload,
  parseActionRecord,
  parseCheckpoint,
  parseNote,
  parseStatement,
  rootFromLeaves,
  type Statement,
  sha256,
  toBase64,
  toHex,
  utf8,
} from '@deed/evidence';
import { leafHashOf, readEntries, witnessAddress } from '@deed/ledger';
import {
  enrolmentChallenge,
  initServer,
  keyPersonSigner,
  newP256,
  type PersonSigner,
  readConfig,
  readSealedKey,
  spkiOf,
  startWitness,
} from '@deed/server';
import { type Database, openObjects, openReadOnly } from '@deed/store';
import { Client } from '../../packages/cli/src/client.ts';
import { answerHold, type HoldView } from '../../packages/cli/src/commands/approve.ts';
import { type AgentIdentity, TaskTokens } from '../../packages/cli/src/shim.ts';

const bin = resolve(import.meta.dirname, '..', '..', 'bin', 'deed.mjs');

/** Tools of the filesystem server, and a policy under which making a folder needs a person. */
const approvePolicy = `@id("test-folders")
@tier("approve")
permit (principal, action == Deed::Action::"call", resource)
when { resource.name == "create_directory" };
`;

/** Something that the client was told: it must be in the log for ever. */
export type Told =
  | { readonly kind: 'opened' | 'refused' | 'done' | 'approved'; readonly task: string; readonly path: string }
  | { readonly kind: 'closed'; readonly task: string; readonly digest: string };

/** What the log says of the actions, by the path that each was about: no path is used twice. */
export interface Recorded {
  readonly statements: readonly Statement[];
  readonly byDigest: ReadonlyMap<string, Statement>;
  /** The indexes of what ends an intent, by its digest: outcomes, and a refusal that cites it. */
  readonly ends: ReadonlyMap<string, readonly number[]>;
  readonly intents: ReadonlyMap<string, readonly Statement[]>;
  readonly refusals: ReadonlyMap<string, readonly Statement[]>;
  readonly approvals: ReadonlyMap<string, readonly Statement[]>;
}

/** One data folder over all rounds, its server killed and started again. */
export class CrashWorld {
  readonly folder = realpathSync(mkdtempSync(join(tmpdir(), 'deed-kill-')));
  readonly dir = join(this.folder, 'data');
  readonly work = join(this.folder, 'work');
  readonly told: Told[] = [];
  client!: Client;
  private person!: PersonSigner;
  private agent!: Omit<AgentIdentity, 'task'> & { readonly id: string };
  private argv: readonly string[] = [];
  private origin = '';
  private watching: Awaited<ReturnType<typeof startWitness>> | undefined;
  private server: { readonly launcher: ChildProcess; readonly exited: Promise<unknown[]> } | undefined;

  static async begin(): Promise<CrashWorld> {
    const world = new CrashWorld();
    const { folder, dir, work } = world;
    const policyFolder = join(folder, 'policy');
    for (const path of [work, policyFolder]) mkdirSync(path);
    for (const name of readdirSync(defaultPolicyFolder)) {
      copyFileSync(join(defaultPolicyFolder, name), join(policyFolder, name));
    }
    writeFileSync(join(policyFolder, 'folders.cedar'), approvePolicy);
    const personFile = join(folder, 'person.json');
    const made = await initServer({
      ...{ dir, passphrase: 'p', rootFile: join(folder, 'root.json'), personFile, policyFolder, scryptCost: 2 ** 10 },
      witnessFolder: join(folder, 'witness'),
    });
    world.origin = made.origin;
    world.person = keyPersonSigner(await readSealedKey(personFile, 'p'));
    world.client = new Client(dir);
    // The witness outlives every server: it would tell if one came back with less.
    world.watching = await startWitness({ stateFolder: made.witnessFolder });
    await world.up();
    await world.enrol();
    return world;
  }

  /** Starts the server; resolves when it says that it is ready. */
  async up(): Promise<void> {
    const launcher = spawn('node', [bin, 'up', '--data', this.dir, '--json'], { stdio: ['ignore', 'pipe', 'pipe'] });
    const exited = once(launcher, 'exit');
    this.server = { launcher, exited };
    let said = '';
    launcher.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    const first = await Promise.race([once(createInterface(launcher.stdout), 'line'), exited]);
    if (typeof first[0] !== 'string') throw new Error(`the server ended with ${first.join()}: ${said}`);
  }

  /** The server's own process, not the one that launched it (unless that is all there is so far). */
  kill(): void {
    const launcher = this.server?.launcher.pid;
    const children = readFileSync(`/proc/${launcher}/task/${launcher}/children`, 'utf8').trim();
    const pids = children === '' ? [Number(launcher)] : children.split(' ').map(Number);
    for (const pid of pids) process.kill(pid, 'SIGKILL');
  }

  /** Resolves when the server has ended, with the signal that ended it. */
  async ended(): Promise<unknown> {
    const [, signal] = (await this.server?.exited) ?? [];
    return signal;
  }

  /** Ends the server in order, and the witness; also when they have ended. */
  async down(): Promise<void> {
    this.server?.launcher.kill('SIGTERM');
    await this.server?.exited;
    await this.watching?.close();
    this.watching = undefined;
  }

  private async enrol(): Promise<void> {
    const require = createRequire(join(resolve(import.meta.dirname, '..', '..'), 'packages', 'cli', 'package.json'));
    const main = require.resolve('@modelcontextprotocol/server-filesystem/dist/index.js');
    this.argv = [process.execPath, realpathSync(main), this.work];
    await this.client.post('/v1/tools', { name: 'files', kind: 'filesystem', argv: this.argv, env: {} });
    const { code, origin } = await this.client.post<{ code: string; origin: string }>('/v1/agents/invite', {
      name: 'worker',
    });
    const key = newP256();
    const proof = toBase64(sign('sha256', enrolmentChallenge(origin, code, spkiOf(key)), key));
    const spki = toBase64(spkiOf(key));
    const agent = await this.client.post<{ id: string; spiffe: string }>('/v1/agents/redeem', { code, spki, proof });
    this.agent = { ...agent, key, origin };
  }

  /**
   * A short task: three writers at once, a write that is refused, looks that are only observed, a folder that a person
   * approves, and the close. What the server answers is noted as told.
   */
  async script(round: number): Promise<void> {
    const { task } = await this.client.post<{ task: string }>('/v1/tasks', {
      objective: `round ${round}`,
      agent: this.agent.id,
      principal: { kind: 'person', id: 'tester', authenticated: 'test' },
      allow: [{ server: 'files', paths: { under: [join(this.work)] } }],
      ceiling: 'approve',
      budget: 100,
    });
    this.told.push({ kind: 'opened', task, path: '' });
    const session = await Session.open(this.client, this.argv, { ...this.agent, task });
    const path = (name: string) => join(this.work, `r${round}-${name}`);
    const note = (kind: 'done' | 'refused', where: string) => this.told.push({ kind, task, path: where });
    const writer = async (name: string): Promise<void> => {
      for (let i = 0; i < 6; i++) {
        const file = path(`${name}${i}.txt`);
        const answer = await session.call('write_file', { path: file, content: `${round} ${name} ${i}\n` });
        if (!answer.isError) note('done', file);
        await session.call('list_directory', { path: this.work });
      }
    };
    const outside = async (): Promise<void> => {
      const file = join(this.folder, `outside-${round}`);
      const answer = await session.call('write_file', { path: file, content: 'no' });
      if (answer.isError && answer.text.includes('outside-grant')) note('refused', file);
    };
    const folder = async (): Promise<void> => {
      const made = path('folder');
      const call = session.call('create_directory', { path: made });
      call.catch(() => undefined); // awaited below, unless the server dies while it is approved
      const approved = await this.approve();
      if (approved === 'approved') this.told.push({ kind: 'approved', task, path: made });
      if (!(await call).isError) note('done', made);
    };
    await Promise.all([writer('a'), writer('b'), writer('c'), outside(), folder()]);
    const { closed } = await this.client.post<{ closed: string }>(`/v1/tasks/${task}/close`, { reason: 'principal' });
    this.told.push({ kind: 'closed', task, digest: closed });
    session.end();
  }

  private async approve(): Promise<string> {
    for (;;) {
      const { approvals } = await this.client.get<{ approvals: { id: string }[] }>('/v1/approvals?wait=20');
      const [hold] = approvals;
      if (!hold) continue;
      const view = await this.client.get<HoldView>(`/v1/approvals/${hold.id}`);
      return (await answerHold(this.client, view, 'approve', this.person)).kind;
    }
  }

  /** Every path that a tool made. */
  made(): string[] {
    return readdirSync(this.work).map((name) => join(this.work, name));
  }

  /** Everything that the data folder holds now, whether or not somebody serves it. */
  read(): Recorded {
    const db = openReadOnly(this.dir);
    try {
      // The vault only reads here.
      const vault = openVault(openObjects(objectFolder(this.dir)), new TaskKeys(this.dir), db as unknown as Database);
      const pathOf = (record: string): string => {
        const { arguments: text } = parseActionRecord(openPayload(vault.get(record), record).bytes);
        return (JSON.parse(text) as { readonly path: string }).path;
      };
      const size = db.get<{ size: number }>('SELECT size FROM head')?.size ?? 0;
      const statements = readEntries(db, 0, size).map(({ envelope }) => parseStatement(envelope.payload));
      const byPath = (predicate: 'intent' | 'refusal' | 'approval') =>
        Map.groupBy(
          statements.filter((one) => one.predicate === predicate && one.body.record?.kept === true),
          (one) => pathOf((one.body as { readonly record: { readonly sha256: string } }).record.sha256),
        );
      const ends = Map.groupBy(statements.keys(), (index) => endedBy(statements[index]));
      return {
        statements,
        ends,
        byDigest: new Map(statements.map((statement) => [statement.digest, statement])),
        ...{ intents: byPath('intent'), refusals: byPath('refusal'), approvals: byPath('approval') },
      };
    } finally {
      db.close();
    }
  }

  /** What the witness holds of this log, and the root that the entries give for that size. */
  async witness(): Promise<{ readonly size: number; readonly root: string; readonly ours: string }> {
    const url = witnessAddress(readConfig(this.dir).witness.state);
    const note = await (await fetch(`${url}/${toHex(sha256(utf8(this.origin)))}/checkpoint`)).text();
    const { size, root } = parseCheckpoint(parseNote(note).text);
    const db = openReadOnly(this.dir);
    try {
      return { size, root: toHex(root), ours: toHex(rootFromLeaves(readEntries(db, 0, size).map(leafHashOf))) };
    } finally {
      db.close();
    }
  }
}

function endedBy(statement: Statement | undefined): string {
  if (statement?.predicate === 'outcome') return statement.body.intent;
  if (statement?.predicate !== 'refusal' || statement.body.reason === 'proof-replayed') return '';
  return statement.body.cites ?? '';
}

interface Answer {
  readonly isError: boolean;
  readonly text: string;
}

/** A client on the upgrade socket that signs each message, as the shim does. */
class Session {
  private readonly waiting = new Map<number, { resolve(answer: Answer): void; reject(error: Error): void }>();
  private readonly stream: Duplex;
  private readonly tokens: TaskTokens;
  private queue: Promise<void> = Promise.resolve();
  private ids = 0;

  private constructor(stream: Duplex, tokens: TaskTokens) {
    this.stream = stream;
    this.tokens = tokens;
    // A killed server resets the connection; what matters is told by `close`.
    const ended = () => stream.destroy();
    createInterface(stream)
      .on('line', (line) => this.line(line))
      .on('error', ended);
    stream.on('error', ended);
    stream.once('close', () => {
      for (const { reject } of this.waiting.values()) reject(new Error('the connection ended'));
    });
  }

  static async open(client: Client, argv: readonly string[], agent: AgentIdentity): Promise<Session> {
    const session = new Session(await client.openMcp({ argv }, agent.task), new TaskTokens(client, agent));
    const clientInfo = { name: 'crash', version: '1' };
    await session.request('initialize', { protocolVersion: '2025-06-18', capabilities: {}, clientInfo });
    await session.send({ method: 'notifications/initialized' });
    return session;
  }

  call(name: string, args: Readonly<Record<string, unknown>>): Promise<Answer> {
    return this.request('tools/call', { name, arguments: args });
  }

  end(): void {
    this.stream.end();
  }

  private async request(method: string, params: unknown): Promise<Answer> {
    const id = ++this.ids;
    const answer = new Promise<Answer>((resolve, reject) => this.waiting.set(id, { resolve, reject }));
    answer.catch(() => undefined);
    await this.send({ id, method, params });
    return answer;
  }

  private send(message: Readonly<Record<string, unknown>>): Promise<void> {
    const line = JSON.stringify({ jsonrpc: '2.0', ...message });
    this.queue = this.queue.then(async () => {
      const header = await this.tokens.header(utf8(line));
      if (this.stream.destroyed) throw new Error('the connection ended');
      this.stream.write(`${header}\n${line}\n`);
    });
    return this.queue;
  }

  private line(line: string): void {
    const { id, result, error } = JSON.parse(line) as {
      readonly id?: number;
      readonly result?: { readonly isError?: boolean };
      readonly error?: unknown;
    };
    if (id === undefined || id === null) return;
    this.waiting.get(id)?.resolve({ isError: error !== undefined || result?.isError === true, text: line });
    this.waiting.delete(id);
  }
}
