import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';

interface Asked {
  readonly messages?: readonly { readonly content?: unknown }[];
}

let calls = 0;
const server = createServer(async (request, response) => {
  const { messages = [] } = (await json(request)) as Asked;
  const [, content = '', path = ''] = /^Write (.+) to (\S+)$/.exec(String(messages.at(-1)?.content)) ?? [];
  const input = { path, content };
  const call = { type: 'tool_use', id: `toolu_${++calls}`, name: 'mcp__files__write_file', input };
  const usage = { input_tokens: 1, output_tokens: 1 };
  const answer = { id: `msg_${calls}`, type: 'message', role: 'assistant', model: 'scripted', content: [call] };
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ ...answer, stop_reason: 'tool_use', stop_sequence: null, usage }));
});
server.listen(0, '127.0.0.1', () => {
  console.log(JSON.stringify({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }));
});
process.once('SIGINT', () => {
  server.close();
  server.closeAllConnections();
});
