import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import * as mcp from '@modelcontextprotocol/sdk/types.js';

/** The smallest picture and sound there are. */
export const png = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==';
export const wav = 'UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA=';

export const text = (said: string) => ({ type: 'text' as const, text: said });
export const image = { type: 'image' as const, data: png, mimeType: 'image/png' };
export const resource = (uri: string, said: string) => ({
  type: 'resource' as const,
  resource: { uri, mimeType: 'text/plain', text: said },
});
const pause = (ms = 50) => new Promise((later) => setTimeout(later, ms));

type Extra = Parameters<Parameters<Server['setRequestHandler']>[1]>[1];
/** On the stream of the call that it is about: the other one may not be open yet. */
const about = ({ requestId }: Extra) => ({ relatedRequestId: requestId });

type Tool = (args: Readonly<Record<string, string>>, extra: Extra, server: Server) => Promise<mcp.CallToolResult>;

const enums = ['one', 'two', 'three'];
const titled = enums.map((name) => ({ const: name, title: `Option ${name}` }));

async function elicit(server: Server, extra: Extra, message: string, properties: object): Promise<mcp.CallToolResult> {
  const requestedSchema = { type: 'object' as const, properties: properties as never, required: [] };
  const { action, content } = await server.elicitInput({ message, requestedSchema }, about(extra));
  return { content: [text(`Elicitation completed: action=${action}, content=${JSON.stringify(content ?? {})}`)] };
}

/** What the scenarios of `@modelcontextprotocol/conformance` 0.1.16 call, by name. */
const tools: Readonly<Record<string, Tool>> = {
  test_simple_text: async () => ({ content: [text('This is a simple text response for testing.')] }),
  test_image_content: async () => ({ content: [image] }),
  test_audio_content: async () => ({ content: [{ type: 'audio', data: wav, mimeType: 'audio/wav' }] }),
  test_embedded_resource: async () => ({ content: [resource('test://embedded-resource', 'embedded')] }),
  test_multiple_content_types: async () => ({
    content: [text('several kinds'), image, resource('test://mixed-content-resource', '{"a":1}')],
  }),
  async test_tool_with_logging(_args, { sendNotification }) {
    for (const data of ['started', 'processing', 'done']) {
      await sendNotification({ method: 'notifications/message', params: { level: 'info', data } });
      await pause();
    }
    return { content: [text('logged')] };
  },
  async test_tool_with_progress(_args, { sendNotification, _meta }) {
    for (const progress of [0, 50, 100]) {
      const params = { progressToken: _meta?.progressToken ?? 0, progress, total: 100 };
      await sendNotification({ method: 'notifications/progress', params });
      await pause();
    }
    return { content: [text('progressed')] };
  },
  async test_error_handling() {
    throw new Error('This tool intentionally returns an error for testing');
  },
  async test_reconnection(_args, { closeSSEStream }) {
    closeSSEStream?.();
    await pause(100);
    return { content: [text('reconnected')] };
  },
  async test_sampling({ prompt = '' }, extra, server) {
    const messages = [{ role: 'user' as const, content: text(prompt) }];
    const { content } = await server.createMessage({ messages, maxTokens: 100 }, about(extra));
    return { content: [text(`LLM response: ${'text' in content ? content.text : ''}`)] };
  },
  test_elicitation: ({ message = '' }, extra, server) =>
    elicit(server, extra, message, { username: { type: 'string' }, email: { type: 'string' } }),
  test_elicitation_sep1034_defaults: (_args, extra, server) =>
    elicit(server, extra, 'Defaults', {
      name: { type: 'string', default: 'John Doe' },
      age: { type: 'integer', default: 30 },
      score: { type: 'number', default: 95.5 },
      status: { type: 'string', enum: ['active', 'inactive', 'pending'], default: 'active' },
      verified: { type: 'boolean', default: true },
    }),
  test_elicitation_sep1330_enums: (_args, extra, server) =>
    elicit(server, extra, 'Enums', {
      untitledSingle: { type: 'string', enum: enums },
      titledSingle: { type: 'string', oneOf: titled },
      legacyEnum: { type: 'string', enum: enums, enumNames: enums.map((name) => `Option ${name}`) },
      untitledMulti: { type: 'array', items: { type: 'string', enum: enums } },
      titledMulti: { type: 'array', items: { anyOf: titled } },
    }),
};

const prompts: Readonly<Record<string, (args: Readonly<Record<string, string>>) => mcp.PromptMessage['content'][]>> = {
  test_simple_prompt: () => [text('This is a simple prompt for testing.')],
  test_prompt_with_arguments: ({ arg1, arg2 }) => [text(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`)],
  test_prompt_with_embedded_resource: ({ resourceUri = '' }) => [resource(resourceUri, 'embedded'), text('read it')],
  test_prompt_with_image: () => [image, text('look at it')],
};

const argumentsOf: Readonly<Record<string, readonly string[]>> = {
  test_prompt_with_arguments: ['arg1', 'arg2'],
  test_prompt_with_embedded_resource: ['resourceUri'],
};

function conformanceServer(): Server {
  const capabilities = {
    ...{ tools: { listChanged: true }, prompts: { listChanged: true }, logging: {}, completions: {} },
    resources: { subscribe: true, listChanged: true },
  };
  const server = new Server({ name: 'conformance', version: '1.0.0' }, { capabilities });
  server.setRequestHandler(mcp.ListToolsRequestSchema, () => ({
    tools: Object.keys(tools).map((name) => ({ name, description: name, inputSchema: { type: 'object' as const } })),
  }));
  server.setRequestHandler(mcp.CallToolRequestSchema, async ({ params }, extra) => {
    const args = (params.arguments ?? {}) as Readonly<Record<string, string>>;
    try {
      return (
        (await tools[params.name]?.(args, extra as Extra, server)) ?? { content: [text('no such tool')], isError: true }
      );
    } catch (error) {
      return { content: [text((error as Error).message)], isError: true };
    }
  });
  server.setRequestHandler(mcp.ListResourcesRequestSchema, () => ({
    resources: [
      { uri: 'test://static-text', name: 'text', mimeType: 'text/plain' },
      { uri: 'test://static-binary', name: 'binary', mimeType: 'image/png' },
      { uri: 'test://watched-resource', name: 'watched', mimeType: 'text/plain' },
    ],
  }));
  server.setRequestHandler(mcp.ListResourceTemplatesRequestSchema, () => ({
    resourceTemplates: [{ uriTemplate: 'test://template/{id}/data', name: 'template', mimeType: 'application/json' }],
  }));
  server.setRequestHandler(mcp.ReadResourceRequestSchema, ({ params: { uri } }) => {
    if (uri === 'test://static-binary') return { contents: [{ uri, mimeType: 'image/png', blob: png }] };
    const id = /^test:\/\/template\/(.+)\/data$/.exec(uri)?.[1];
    const said =
      id === undefined ? 'This is the content of the static text resource.' : JSON.stringify({ id, data: id });
    return { contents: [{ uri, mimeType: id === undefined ? 'text/plain' : 'application/json', text: said }] };
  });
  server.setRequestHandler(mcp.SubscribeRequestSchema, () => ({}));
  server.setRequestHandler(mcp.UnsubscribeRequestSchema, () => ({}));
  server.setRequestHandler(mcp.SetLevelRequestSchema, () => ({}));
  server.setRequestHandler(mcp.CompleteRequestSchema, () => ({ completion: { values: [], total: 0, hasMore: false } }));
  server.setRequestHandler(mcp.ListPromptsRequestSchema, () => ({
    prompts: Object.keys(prompts).map((name) => ({
      name,
      description: name,
      arguments: (argumentsOf[name] ?? []).map((one) => ({ name: one, required: true })),
    })),
  }));
  server.setRequestHandler(mcp.GetPromptRequestSchema, ({ params }) => ({
    messages: (prompts[params.name]?.(params.arguments ?? {}) ?? []).map((content) => ({
      role: 'user' as const,
      content,
    })),
  }));
  return server;
}

/** Keeps events, so that a client that lost its stream can go on. */
class Events {
  private readonly kept: { readonly stream: string; readonly message: mcp.JSONRPCMessage }[] = [];

  async storeEvent(stream: string, message: mcp.JSONRPCMessage): Promise<string> {
    return String(this.kept.push({ stream, message }) - 1);
  }

  async getStreamIdForEventId(id: string): Promise<string | undefined> {
    return this.kept[Number(id)]?.stream;
  }

  async replayEventsAfter(
    id: string,
    { send }: { send: (id: string, message: mcp.JSONRPCMessage) => Promise<void> },
  ): Promise<string> {
    const stream = this.kept[Number(id)]?.stream ?? '';
    for (const [at, one] of this.kept.entries()) {
      if (at > Number(id) && one.stream === stream && 'jsonrpc' in one.message) await send(String(at), one.message);
    }
    return stream;
  }
}

/** A server that passes every scenario, with sessions and streams that can be resumed. @returns its address, and how to end it */
export async function startConformanceServer(): Promise<{ readonly url: string; readonly close: () => Promise<void> }> {
  const transports = new Map<string, StreamableHTTPServerTransport>();
  let port = 0;
  const take = async (request: IncomingMessage, response: ServerResponse) => {
    const id = request.headers['mcp-session-id']?.toString();
    let transport = id === undefined ? undefined : transports.get(id);
    if (id !== undefined && !transport) return void response.writeHead(404).end();
    if (!transport) {
      const made = new StreamableHTTPServerTransport({
        sessionIdGenerator: () => randomUUID(),
        eventStore: new Events(),
        retryInterval: 200,
        onsessioninitialized: (session) => void transports.set(session, made),
        enableDnsRebindingProtection: true,
        allowedHosts: [`127.0.0.1:${port}`, `localhost:${port}`],
        allowedOrigins: [`http://127.0.0.1:${port}`, `http://localhost:${port}`],
      });
      await conformanceServer().connect(made as never);
      transport = made;
    }
    await transport.handleRequest(request, response);
  };
  const http = createServer((request, response) => void take(request, response).catch(() => response.destroy()));
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  port = (http.address() as AddressInfo).port;
  return {
    url: `http://localhost:${port}/mcp`,
    close: async () => {
      http.closeAllConnections();
      await new Promise((closed) => http.close(closed));
    },
  };
}
