import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import type { Duplex } from 'node:stream';
import { LineSplitter, maxLineBytes } from '../../src/index.ts';

/** `<token> <proof>` for the exact bytes of one message; `-` for an implicit task. */
export type Sign = (body: Uint8Array) => Promise<string>;

export interface Reply {
  readonly id?: unknown;
  readonly method?: string;
  readonly result?: { readonly isError?: boolean; readonly content?: readonly { readonly text: string }[] };
  readonly error?: { readonly code: number; readonly message: string; readonly data?: { readonly deed: string } };
}

/** What the server answered instead of switching protocols. */
export class NotSwitched extends Error {
  readonly status: number;
  readonly code: string;
  constructor(status: number, code: string) {
    super(`${status} ${code}`);
    this.status = status;
    this.code = code;
  }
}

interface Waiter {
  readonly fits: (line: string) => boolean;
  readonly resolve: (line: string) => void;
  readonly reject: (error: Error) => void;
}

/** One connection as a shim makes it: two lines a message towards the server, one line a message back. */
export class Connection {
  /** Each line that came back, as it came. */
  readonly lines: string[] = [];
  private readonly stream: Duplex;
  private readonly sign: Sign;
  private readonly waiters = new Set<Waiter>();
  private nextId = 1;
  readonly closed: Promise<void>;

  private constructor(stream: Duplex, sign: Sign) {
    this.stream = stream;
    this.sign = sign;
    const splitter = new LineSplitter(
      maxLineBytes,
      (line) => this.took(Buffer.from(line).toString()),
      () => {},
    );
    stream.on('data', (chunk: Uint8Array) => splitter.push(chunk));
    stream.on('error', () => {}); // `close` follows
    this.closed = once(stream, 'close').then(() => {
      for (const { reject } of this.waiters) reject(new Error('the connection ended'));
    });
  }

  static async open(options: {
    readonly socket: string;
    readonly argv: readonly string[];
    /** The tool server by its name, in the place of its command. */
    readonly server?: string;
    readonly task: string | null;
    readonly sign: Sign;
  }): Promise<Connection> {
    const { socket, argv, server, task, sign } = options;
    const headers = {
      connection: 'Upgrade',
      upgrade: 'deed-mcp',
      'deed-command': Buffer.from(JSON.stringify(argv)).toString('base64url'),
      ...(server === undefined ? {} : { 'deed-server': server }),
      ...(task === null ? {} : { 'deed-task': task }),
    };
    const request = httpRequest({ socketPath: socket, path: '/v1/mcp', headers });
    const stream = await new Promise<Duplex>((resolve, reject) => {
      request.once('upgrade', (_response, upgraded, head) => {
        if (head.length > 0) upgraded.unshift(head);
        resolve(upgraded);
      });
      request.once('response', (response) => {
        response.setEncoding('utf8');
        let text = '';
        response.on('data', (part: string) => {
          text += part;
        });
        response.once('end', () => {
          const { title } = JSON.parse(text) as { title: string };
          reject(new NotSwitched(response.statusCode ?? 0, title));
        });
      });
      request.once('error', reject);
      request.end();
    });
    return new Connection(stream, sign);
  }

  /** Sends exactly these bytes as one message, with a header of its own unless one is given. */
  async send(line: string | Uint8Array, header?: string): Promise<void> {
    const body = Buffer.from(line as string);
    this.raw(Buffer.concat([Buffer.from(`${header ?? (await this.sign(body))}\n`), body, Buffer.from('\n')]));
  }

  raw(bytes: Uint8Array): void {
    this.stream.write(bytes);
  }

  /** Sends a request under the next id and gives the answer to it. */
  async request(method: string, params: unknown = {}): Promise<Reply> {
    const id = this.nextId++;
    const answered = this.answer(id);
    await this.send(JSON.stringify({ jsonrpc: '2.0', id, method, params }));
    return answered;
  }

  /** Calls a tool; gives the text of its answer, or of the refusal. */
  async call(name: string, args: unknown = {}): Promise<{ readonly isError: boolean; readonly text: string }> {
    return spoken(await this.request('tools/call', { name, arguments: args }));
  }

  /** The answer to an id that is or will be sent. */
  async answer(id: unknown): Promise<Reply> {
    const line = await this.line((text) => {
      const reply = JSON.parse(text) as Reply;
      return reply.id === id && reply.method === undefined;
    });
    return JSON.parse(line) as Reply;
  }

  /** The next line that fits, from now on. */
  line(fits: (line: string) => boolean = () => true): Promise<string> {
    const waited = new Promise<string>((resolve, reject) => {
      const waiter: Waiter = {
        fits,
        resolve: (line) => {
          this.waiters.delete(waiter);
          resolve(line);
        },
        reject,
      };
      this.waiters.add(waiter);
    });
    waited.catch(() => {}); // whoever awaits it sees it
    return waited;
  }

  /** Goes away, and waits until the server has ended the session. */
  async close(): Promise<void> {
    this.stream.end();
    await this.closed;
  }

  private took(line: string): void {
    this.lines.push(line);
    for (const waiter of this.waiters) if (waiter.fits(line)) waiter.resolve(line);
  }
}

export function spoken({ result, error }: Reply): { readonly isError: boolean; readonly text: string } {
  if (!result) return { isError: true, text: `${error?.data?.deed ?? error?.code}: ${error?.message}` };
  return { isError: result.isError === true, text: (result.content ?? []).map(({ text }) => text).join('\n') };
}
