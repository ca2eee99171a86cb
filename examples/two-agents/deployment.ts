import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';

const run = promisify(execFile);
const root = resolve(import.meta.dirname, '../..');
const program = join(root, 'bin/deed.mjs');
/** The filesystem server of the Model Context Protocol, as npm installs it: nobody here wrote it. */
const filesystemServer = join(root, 'node_modules/@modelcontextprotocol/server-filesystem/dist/index.js');
/** How long the server may take to end in order, in milliseconds. */
const stopMs = 10_000;

/** An enrolled agent: its id, and the file with its key. */
export interface Agent {
  readonly name: string;
  readonly id: string;
  readonly keyFile: string;
}

/** What an agent was told by a tool, or by Deed. */
export interface Answer {
  readonly refused: boolean;
  readonly text: string;
}

/** A deployment of its own in a folder of its own, driven by the same commands that a person types. */
export class Deployment {
  readonly folder = realpathSync(mkdtempSync(join(tmpdir(), 'deed-two-agents-')));
  readonly site = join(this.folder, 'site');
  readonly trust = join(this.folder, 'keys/trust.txt');
  private readonly data = join(this.folder, 'data');
  private readonly passphrase = join(this.folder, 'passphrase');
  /** How the person of this deployment signs. */
  readonly signing = ['--key', join(this.folder, 'keys/person.key.json'), '--passphrase-file', this.passphrase];
  /** Where it listens, if it does. */
  url = '';
  private readonly listen: readonly string[];
  private process: ChildProcess | null = null;
  private socket = '';

  /** @param options.listen where it is to listen for agents on other machines */
  constructor({ listen }: { readonly listen?: string } = {}) {
    this.listen = listen === undefined ? [] : ['--listen', listen];
  }

  async begin(): Promise<void> {
    for (const name of ['docs', 'private']) mkdirSync(join(this.site, name), { recursive: true });
    writeFileSync(this.passphrase, 'anyone may know this', { mode: 0o600 });
    const [keys, witness] = [join(this.folder, 'keys'), join(this.folder, 'witness')];
    await this.deed('init', '--keys', keys, '--witness', witness, '--passphrase-file', this.passphrase);
    await this.serve();
    await this.deed('tool', 'add', 'files', '--kind', 'filesystem', '--', ...this.tool);
  }

  async end(): Promise<void> {
    const server = this.process;
    if (server && server.exitCode === null) {
      const ended = new Promise((done) => server.once('exit', done));
      const timer = setTimeout(() => server.kill('SIGKILL'), stopMs);
      server.stdin?.end();
      await ended;
      clearTimeout(timer);
    }
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Runs a command of deed and gives what it printed as JSON. @throws with what it said, if it failed */
  deed<T>(...args: readonly string[]): Promise<T> {
    return this.deedWith<T>('', ...args);
  }

  /** The same with something on its standard input. */
  async deedWith<T>(input: string, ...args: readonly string[]): Promise<T> {
    const end = args.indexOf('--');
    const at = end < 0 ? args.length : end;
    const where = args[0] === 'verify' ? [] : ['--data', this.data]; // it needs no deployment
    const all = [program, ...args.slice(0, at), ...where, '--json', ...args.slice(at)];
    const running = run(process.execPath, all, { maxBuffer: 64 * 1024 * 1024 });
    running.child.stdin?.end(input);
    return JSON.parse((await running).stdout) as T;
  }

  async activate(policy: string): Promise<void> {
    await this.deed('policy', 'activate', policy, ...this.signing);
  }

  async enrol(name: string): Promise<Agent> {
    const keyFile = join(this.folder, `${name}.key.json`);
    const { code } = await this.deed<{ code: string }>('agent', 'enroll', name);
    const { id } = await this.deed<{ id: string }>('agent', 'enroll', '--code', code, '--key', keyFile);
    return { name, id, keyFile };
  }

  /** Writes allowed actions to a file, and names it. */
  allow(name: string, entries: readonly object[]): string {
    const file = join(this.folder, `${name}.allow.json`);
    writeFileSync(file, JSON.stringify(entries));
    return file;
  }

  /** The agent's own MCP session: the official client, which starts `deed mcp run` in the place of the tool. */
  async call(agent: Agent, task: string, tool: string, args: Record<string, unknown>): Promise<Answer> {
    const client = new Client({ name: agent.name, version: '1.0.0' });
    const shim = ['mcp', 'run', '--data', this.data, '--task', task, '--key', agent.keyFile, '--', ...this.tool];
    const env = Object.fromEntries(Object.entries(process.env).filter((each): each is [string, string] => !!each[1]));
    try {
      await client.connect(new StdioClientTransport({ command: process.execPath, args: [program, ...shim], env }));
      const answer = await client.callTool({ name: tool, arguments: args });
      const parts = (answer.content ?? []) as readonly { readonly text?: string }[];
      return { refused: answer.isError === true, text: parts.map(({ text = '' }) => text).join('\n') };
    } catch (error) {
      return { refused: true, text: String(error) };
    } finally {
      await client.close();
    }
  }

  /** A request as an agent without our command line would make it: JSON to the socket. */
  async post(path: string, body: object): Promise<{ readonly status: number; readonly body: Record<string, string> }> {
    return new Promise((done, fail) => {
      const headers = { 'content-type': 'application/json' };
      const sent = request({ socketPath: this.socket, method: 'POST', path, headers }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.once('end', () =>
          done({ status: response.statusCode ?? 0, body: JSON.parse(Buffer.concat(chunks).toString()) }),
        );
      });
      sent.once('error', fail);
      sent.end(JSON.stringify(body));
    });
  }

  read(...path: readonly string[]): string {
    return readFileSync(join(this.site, ...path), 'utf8');
  }

  private get tool(): readonly string[] {
    return [process.execPath, filesystemServer, this.site];
  }

  private async serve(): Promise<void> {
    const args = [program, 'up', '--data', this.data, '--with-parent', ...this.listen, '--json'];
    const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.process = child;
    const line = await new Promise<string>((done, fail) => {
      createInterface({ input: child.stdout }).once('line', done);
      child.once('exit', (code) => fail(new Error(`deed up ended with code ${code}`)));
    });
    const { socket, url } = JSON.parse(line) as { readonly socket: string; readonly url: string | null };
    this.socket = socket;
    this.url = url ?? '';
  }
}
