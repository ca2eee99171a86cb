import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { toNodeHandler } from '@modelcontextprotocol/node';
import {
  type CallToolResult,
  completable,
  createMcpHandler,
  type GetPromptResult,
  type InputRequiredResult,
  inputRequired,
  McpServer,
  MissingRequiredClientCapabilityError,
  ProtocolError,
  ResourceTemplate,
  type ServerContext,
} from '@modelcontextprotocol/server';
import { z } from 'zod';
import { image, png, resource, text, wav } from './conformance-server.ts';

type Answer = CallToolResult | InputRequiredResult;

const said = (words: string): CallToolResult => ({ content: [text(words)] });

const form = (message: string, field: string) =>
  inputRequired.elicit({
    message,
    requestedSchema: { type: 'object', properties: { [field]: { type: 'string' } }, required: [field] },
  });
const name = form('What is your name?', 'name');
const colour = form('Step 2: What is your favorite color?', 'color');
const sampled = (question: string) =>
  inputRequired.createMessage({ messages: [{ role: 'user', content: text(question) }], maxTokens: 100 });

type Requests = NonNullable<Parameters<typeof inputRequired>[0]['inputRequests']>;

/** Whether a client brought what was asked for under this name. */
function has({ mcpReq }: ServerContext, key: string): boolean {
  const response: unknown = mcpReq.inputResponses?.[key];
  return typeof response === 'object' && response !== null;
}

const stateOf = ({ mcpReq }: ServerContext) => mcpReq.requestState();

/** Asks until all of it was brought, with the state that it gave out if it gives any. */
function asks(inputRequests: Requests, requestState?: string) {
  return async (context: ServerContext): Promise<Answer> => {
    const complete = Object.keys(inputRequests).every((key) => has(context, key));
    if (complete && requestState !== undefined && stateOf(context) !== requestState)
      throw new ProtocolError(-32602, 'another state');
    if (complete) return said(`state-ok ${JSON.stringify(context.mcpReq.inputResponses)}`);
    return inputRequired({ inputRequests, ...(requestState === undefined ? {} : { requestState }) });
  };
}

/** What the scenarios of `@modelcontextprotocol/conformance` 0.2.0-alpha.12 call for 2026-07-28, by name. */
const tools: Readonly<Record<string, (context: ServerContext) => Promise<Answer>>> = {
  test_simple_text: async () => said('This is a simple text response for testing.'),
  test_image_content: async () => ({ content: [image] }),
  test_audio_content: async () => ({ content: [{ type: 'audio', data: wav, mimeType: 'audio/wav' }] }),
  test_embedded_resource: async () => ({ content: [resource('test://embedded-resource', 'embedded')] }),
  test_multiple_content_types: async () => ({
    content: [text('several kinds'), image, resource('test://mixed-content-resource', '{"a":1}')],
  }),
  test_logging_tool: async () => said('nothing logged'),
  test_streaming_elicitation: async () => said('nothing asked'),
  async test_tool_with_progress({ mcpReq }) {
    for (const progress of [0, 50, 100]) {
      const params = { progressToken: mcpReq._meta?.progressToken ?? 0, progress, total: 100 };
      await mcpReq.notify({ method: 'notifications/progress', params });
    }
    return said('progressed');
  },
  async test_missing_capability() {
    throw new MissingRequiredClientCapabilityError({ requiredCapabilities: { sampling: {} } });
  },
  async test_error_handling() {
    throw new Error('This tool intentionally returns an error for testing');
  },
  test_input_required_result_elicitation: asks({ user_name: name }),
  test_input_required_result_sampling: asks({ capital_question: sampled('What is the capital of France?') }),
  test_input_required_result_list_roots: asks({ client_roots: inputRequired.listRoots() }),
  test_input_required_result_request_state: asks({ confirm: form('Please confirm', 'ok') }, 'a state'),
  test_input_required_result_tampered_state: asks({ confirm: form('Please confirm', 'ok') }, 'a state'),
  test_input_required_result_multiple_inputs: asks(
    { user_name: name, greeting: sampled('Generate a greeting'), client_roots: inputRequired.listRoots() },
    'a state',
  ),
  test_input_required_result_capabilities: asks({ question: sampled('What is the capital of France?') }),
  async test_input_required_result_multi_round(context) {
    if (has(context, 'step2') && stateOf(context) === 'two') return said('both steps');
    if (has(context, 'step1')) return inputRequired({ inputRequests: { step2: colour }, requestState: 'two' });
    return inputRequired({ inputRequests: { step1: name }, requestState: 'one' });
  },
};

type Message = GetPromptResult['messages'][number];
const told = (...content: readonly Message['content'][]): GetPromptResult => ({
  messages: content.map((one) => ({ role: 'user', content: one })),
});

function conformanceServer(): McpServer {
  const server = new McpServer({ name: 'conformance', version: '1.0.0' }, { capabilities: { completions: {} } });
  for (const [tool, run] of Object.entries(tools))
    server.registerTool(tool, { description: tool }, (context: ServerContext) => run(context));
  const arg1 = completable(z.string(), (begun) => [`${begun}-completed`]);
  const words = z.object({ arg1, arg2: z.string() });
  server.registerPrompt('test_simple_prompt', {}, async () => told(text('This is a simple prompt for testing.')));
  server.registerPrompt('test_prompt_with_arguments', { argsSchema: words }, async ({ arg1, arg2 }) =>
    told(text(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`)),
  );
  const address = z.object({ resourceUri: z.string() });
  server.registerPrompt('test_prompt_with_embedded_resource', { argsSchema: address }, async ({ resourceUri }) =>
    told(resource(resourceUri, 'embedded'), text('read it')),
  );
  server.registerPrompt('test_prompt_with_image', {}, async () => told(image, text('look at it')));
  server.registerPrompt('test_input_required_result_prompt', {}, async (context: ServerContext) => {
    if (has(context, 'user_context')) return told(text('with its context'));
    return inputRequired({ inputRequests: { user_context: form('What context should the prompt use?', 'context') } });
  });
  const contents = (
    uri: URL,
    more: { readonly text: string } | { readonly blob: string },
    mimeType = 'text/plain',
  ) => ({
    contents: [{ uri: uri.href, mimeType, ...more }],
  });
  server.registerResource('text', 'test://static-text', { mimeType: 'text/plain' }, async (uri) =>
    contents(uri, { text: 'This is the content of the static text resource.' }),
  );
  server.registerResource('binary', 'test://static-binary', { mimeType: 'image/png' }, async (uri) =>
    contents(uri, { blob: png }, 'image/png'),
  );
  const template = new ResourceTemplate('test://template/{id}/data', { list: undefined });
  server.registerResource('template', template, { mimeType: 'application/json' }, async (uri, { id }) =>
    contents(uri, { text: JSON.stringify({ id, data: id }) }, 'application/json'),
  );
  return server;
}

/** A server of the era that began with 2026-07-28. @returns its address, and how to end it */
export async function startConformanceServer2026(): Promise<{
  readonly url: string;
  readonly close: () => Promise<void>;
}> {
  const handler = toNodeHandler(createMcpHandler(conformanceServer));
  const http = createServer((request, response) => {
    const { host = '', origin = `http://${host}` } = request.headers;
    const isLocal = [`http://${host}`, origin].every((each) => /^http:\/\/(localhost|127\.0\.0\.1)(:\d+)?$/.test(each));
    if (isLocal) void handler(request as Parameters<typeof handler>[0], response);
    else response.writeHead(403).end();
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  return {
    url: `http://localhost:${(http.address() as AddressInfo).port}/mcp`,
    close: async () => {
      http.closeAllConnections();
      await new Promise((closed) => http.close(closed));
    },
  };
}
