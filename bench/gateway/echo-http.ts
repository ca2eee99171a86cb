import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { toNodeHandler } from '@modelcontextprotocol/node';
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import { z } from 'zod';

/** A tool server of the official library, without sessions, in both eras. */
const handle = toNodeHandler(
  createMcpHandler(() => {
    const server = new McpServer({ name: 'echo', version: '1.0.0' });
    for (const name of ['observe_echo', 'record_echo']) {
      const inputSchema = z.object({ text: z.string() });
      server.registerTool(name, { description: 'says it again', inputSchema }, (given) => ({
        content: [{ type: 'text', text: given.text }],
      }));
    }
    return server;
  }),
);
const server = createServer((request, response) => void handle(request as Parameters<typeof handle>[0], response));
server.listen(0, '127.0.0.1', () => {
  console.log(JSON.stringify({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp` }));
});
