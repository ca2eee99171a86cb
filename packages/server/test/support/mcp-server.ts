import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server as HttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { NodeStreamableHTTPServerTransport, toNodeHandler } from '@modelcontextprotocol/node';
import { createMcpHandler, inputRequired, McpServer, type ServerContext } from '@modelcontextprotocol/server';
import { z } from 'zod';

export interface McpServerOptions {
  /** `sessions`: the older era with sessions; `both`: without any, in either era. */
  readonly kind: 'sessions' | 'both';
  readonly answersAs?: 'json' | 'stream';
}

/** A tool server of the official SDK on the loopback interface, and what came to it. */
export class ToolServer {
  readonly calls: unknown[] = [];
  readonly headers: IncomingMessage['headers'][] = [];
  /** How its first tool describes itself. */
  description = 'says it again';
  /** Awaited by each call before it answers. */
  gate: () => Promise<void> = async () => {};
  /** Runs before the SDK sees a request; true: it was answered. */
  before: (request: IncomingMessage, response: ServerResponse) => boolean = () => false;
  private readonly http: HttpServer;
  private readonly transports = new Map<string, NodeStreamableHTTPServerTransport>();

  private readonly options: McpServerOptions;

  private constructor(options: McpServerOptions) {
    this.options = options;
    const handler = toNodeHandler(
      createMcpHandler(() => this.server(), { responseMode: options.answersAs === 'json' ? 'json' : 'sse' }),
    );
    this.http = createServer((request, response) => {
      this.headers.push(request.headers);
      if (this.before(request, response)) return;
      if (options.kind === 'both') void handler(request as Parameters<typeof handler>[0], response);
      else void this.inSession(request, response);
    });
  }

  static async start(options: McpServerOptions): Promise<ToolServer> {
    const server = new ToolServer(options);
    server.http.listen(0, '127.0.0.1');
    await once(server.http, 'listening');
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.http.address() as AddressInfo).port}/mcp`;
  }

  /** As a process that is killed. */
  async stop(): Promise<void> {
    this.http.closeAllConnections();
    await new Promise((closed) => this.http.close(closed));
  }

  private async inSession(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const id = request.headers['mcp-session-id']?.toString();
    const known = id === undefined ? undefined : this.transports.get(id);
    if (id !== undefined && !known) {
      response.writeHead(404).end();
      return;
    }
    const transport = known ?? (await this.newTransport());
    await transport.handleRequest(request, response);
  }

  private async newTransport(): Promise<NodeStreamableHTTPServerTransport> {
    const transport = new NodeStreamableHTTPServerTransport({
      sessionIdGenerator: () => randomUUID(),
      enableJsonResponse: this.options.answersAs === 'json',
      onsessioninitialized: (id) => void this.transports.set(id, transport),
    });
    await this.server().connect(transport);
    return transport;
  }

  private server(): McpServer {
    const server = new McpServer({ name: 'fixture', version: '1.0.0' });
    const text = (value: unknown) => ({ content: [{ type: 'text' as const, text: JSON.stringify(value) }] });
    const inputSchema = z.object({ a: z.number().optional() });
    for (const name of ['echo', 'approve_echo']) {
      server.registerTool(name, { description: this.description, inputSchema }, async (given) => {
        this.calls.push(given);
        await this.gate();
        return text(given);
      });
    }
    server.registerTool('steps', { description: 'tells how far it is', inputSchema }, async (given, context) => {
      this.calls.push(given);
      const token = context.mcpReq._meta?.progressToken;
      for (const progress of [1, 2, 3]) {
        if (token !== undefined)
          await context.mcpReq.notify({
            method: 'notifications/progress',
            params: { progressToken: token, progress, total: 3 },
          });
      }
      return text('done');
    });
    server.registerTool('asks', { description: 'wants to know a name', inputSchema }, async (given, context) => {
      const name = nameOf(context);
      if (name !== undefined) {
        this.calls.push({ ...given, name });
        return text(name);
      }
      const requestedSchema = { type: 'object' as const, properties: { name: { type: 'string' as const } } };
      return inputRequired({
        inputRequests: { name: inputRequired.elicit({ message: 'What is it called?', requestedSchema }) },
        requestState: 'a state of the server',
      });
    });
    const region = z.string().meta({ 'x-mcp-header': 'Region' });
    server.registerTool('mirrors', { description: 'is routed', inputSchema: z.object({ region }) }, async (given) => {
      this.calls.push(given);
      return text(given);
    });
    server.registerResource('note', 'note://one', { mimeType: 'text/plain' }, async (uri) => ({
      contents: [{ uri: uri.href, mimeType: 'text/plain', text: 'a note' }],
    }));
    return server;
  }
}

function nameOf({ mcpReq }: ServerContext): string | undefined {
  const said = mcpReq.inputResponses?.name as { readonly content?: { readonly name?: string } } | undefined;
  return said?.content?.name;
}
