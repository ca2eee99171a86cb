import type { Duplex, Readable, Writable } from 'node:stream';
import {
  type AgentSigner,
  type IssuedToken,
  LineSplitter,
  makeAssertion,
  makeProof,
  maxLineBytes,
  stderrMark,
  systemClock,
} from '@deed/server';
import type { Client, ToolChoice } from './client.ts';

/** A token is renewed this long before it ends, in milliseconds. */
const renewMs = 60_000;
/** And its nonce so long before, which is what a message may take to the server. */
const nonceSpareMs = 20_000;

/** Who the agent is, for a task: what signs for it, and what its token request says. */
export interface AgentIdentity {
  readonly key: AgentSigner;
  readonly spiffe: string;
  readonly origin: string;
  readonly task: string;
  /** Digest of the hop by which it may act, where it holds several parts of the task. */
  readonly hop?: string | undefined;
}

export interface ShimOptions {
  readonly client: Client;
  readonly tool: ToolChoice;
  /** Null: an implicit task. */
  readonly agent: AgentIdentity | null;
  readonly input: Readable;
  readonly output: Writable;
  /** Where what the tool writes to its stderr goes. */
  readonly errors: Writable;
}

/**
 * The byte pipe between an MCP client and the server: each line goes on as it came, behind a line with the task token and a
 * proof for exactly those bytes. What comes back is the server's lines as they are, and those of the tool's stderr, with a mark.
 * It holds the agent's key and nothing else.
 */
export async function runShim({ client, tool, agent, input, output, errors }: ShimOptions): Promise<void> {
  const stream = await client.openMcp(tool, agent?.task ?? null, 'lines');
  const tokens = agent && new TaskTokens(client, agent);
  let queue: Promise<void> = Promise.resolve();
  let failed: unknown;
  const lines = new LineSplitter(
    maxLineBytes,
    (line) => {
      queue = queue.then(() => send(stream, line, tokens)).catch((error: unknown) => fail(error));
    },
    () => output.write(tooLong),
  );
  const fail = (error: unknown) => {
    failed ??= error;
    stream.destroy();
  };
  input.on('data', (chunk: Uint8Array) => lines.push(chunk));
  input.once('end', () => void queue.then(() => stream.end()));
  const mark = stderrMark.charCodeAt(0);
  const back = new LineSplitter(
    Number.POSITIVE_INFINITY,
    (line) => {
      const [to, bytes] = line[0] === mark ? [errors, line.subarray(1)] : [output, line];
      if (to.write(Buffer.concat([bytes, newline])) || to === errors || stream.isPaused()) return;
      stream.pause();
      output.once('drain', () => stream.resume());
    },
    () => {},
  );
  stream.on('data', (chunk: Uint8Array) => back.push(chunk));
  await new Promise<void>((resolve) => stream.once('close', resolve));
  input.pause();
  if (failed) throw failed;
}

const newline = Buffer.from('\n');

const tooLong = `${JSON.stringify({
  jsonrpc: '2.0',
  id: null,
  error: {
    code: -32600,
    message: `a message above ${maxLineBytes} bytes is not accepted`,
    data: { deed: 'too-large' },
  },
})}\n`;

async function send(stream: Duplex, line: Uint8Array, tokens: TaskTokens | null): Promise<void> {
  const header = tokens ? await tokens.header(line) : '-';
  const frame = Buffer.concat([Buffer.from(`${header}\n`), line, newline]);
  if (!stream.write(frame)) await new Promise<void>((resolve) => stream.once('drain', resolve));
}

/** Gets and renews the task's token, and signs one proof a message. */
export class TaskTokens {
  private readonly client: Client;
  private readonly agent: AgentIdentity;
  private current: IssuedToken | undefined;

  constructor(client: Client, agent: AgentIdentity) {
    this.client = client;
    this.agent = agent;
  }

  /** `<token> <proof>` for one message. A closed task gives no new token: the old one goes on, and the server refuses. */
  async header(body: Uint8Array): Promise<string> {
    const { token, nonce } = await this.token();
    return `${token} ${await makeProof(this.agent.key, token, body, systemClock, nonce)}`;
  }

  /** A token that lives a while yet, and its nonce. */
  async token(): Promise<IssuedToken> {
    const { current } = this;
    const now = systemClock.now();
    if (current && current.expiresMs - now > renewMs && current.nonceExpiresMs - now > nonceSpareMs) return current;
    const { key, task } = this.agent;
    try {
      const assertion = await makeAssertion(key, this.agent, systemClock);
      this.current = await this.client.post(`/v1/tasks/${task}/token`, { assertion });
    } catch (error) {
      if (!this.current) throw error;
    }
    if (!this.current) throw new Error('no token was issued');
    return this.current;
  }
}
