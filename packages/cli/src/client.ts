import { request as httpRequest } from 'node:http';
import type { Duplex } from 'node:stream';
import { mcpProtocol, ServerError, socketPath } from '@deed/server';

interface Answer {
  readonly status: number;
  readonly body: Buffer;
}

/** A registered tool server, by its name or by its command. */
export type ToolChoice = { readonly name: string } | { readonly argv: readonly string[] };

/** Speaks to the server of a data folder on its unix socket. */
export class Client {
  readonly dataFolder: string;
  readonly socket: string;

  /** @param socket where its server is known to listen; what the environment says otherwise */
  constructor(dataFolder: string, socket?: string) {
    this.dataFolder = dataFolder;
    this.socket = socket ?? socketPath(dataFolder);
  }

  /** @throws ServerError no-server, or with the server's own code and words */
  async get<T>(path: string): Promise<T> {
    return JSON.parse((await this.send('GET', path)).toString()) as T;
  }

  async text(path: string): Promise<string> {
    return (await this.send('GET', path)).toString();
  }

  async post<T>(path: string, body: unknown = {}): Promise<T> {
    return JSON.parse((await this.send('POST', path, body)).toString()) as T;
  }

  async postForBytes(path: string): Promise<Uint8Array> {
    return this.send('POST', path, {});
  }

  /** Opens a connection for a shim, which tells lines of the tool's stderr from messages if it asks for them. @throws ServerError no-server, or with the server's own code and words */
  async openMcp(tool: ToolChoice, task: string | null, stderr: 'lines' | 'none' = 'none'): Promise<Duplex> {
    const headers = {
      connection: 'Upgrade',
      upgrade: mcpProtocol,
      'deed-stderr': stderr,
      ...('name' in tool
        ? { 'deed-server': tool.name }
        : { 'deed-command': Buffer.from(JSON.stringify(tool.argv)).toString('base64url') }),
      ...(task === null ? {} : { 'deed-task': task }),
    };
    return new Promise((resolve, reject) => {
      const request = httpRequest({ socketPath: this.socket, path: '/v1/mcp', headers });
      request.once('upgrade', (_response, stream, head) => {
        if (head.length > 0) stream.unshift(head);
        resolve(stream);
      });
      request.once('response', (response) => {
        collect(response).then((body) => reject(problemOf({ status: response.statusCode ?? 0, body })), reject);
      });
      request.once('error', (cause) => reject(this.absent(cause)));
      request.end();
    });
  }

  private async send(method: string, path: string, body?: unknown): Promise<Buffer> {
    const answer = await new Promise<Answer>((resolve, reject) => {
      const headers = body === undefined ? {} : { 'content-type': 'application/json' };
      const request = httpRequest({ socketPath: this.socket, method, path, headers }, (response) => {
        collect(response).then((bytes) => resolve({ status: response.statusCode ?? 0, body: bytes }), reject);
      });
      request.once('error', (cause) => reject(this.absent(cause)));
      request.end(body === undefined ? undefined : JSON.stringify(body));
    });
    if (answer.status < 200 || answer.status > 299) throw problemOf(answer);
    return answer.body;
  }

  private absent(cause: Error): ServerError {
    const message = `nobody serves ${this.dataFolder}; start it with: deed up --data ${this.dataFolder}`;
    return new ServerError('no-server', message, { cause });
  }
}

/** The server's own refusal, told on. */
export class Refused extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

async function collect(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts);
}

/** The server's refusal of a request, by its answer. */
export function problemOf({ status, body }: Answer): Error {
  try {
    const { title, detail } = JSON.parse(body.toString()) as { title: string; detail: string };
    return new Refused(title, detail);
  } catch {
    return new Refused('internal', `the server answered ${status}`);
  }
}
