import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseArgs } from 'node:util';
import { toNodeHandler } from '@modelcontextprotocol/node';
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import { z } from 'zod';

const { port } = parseArgs({ options: { port: { type: 'string', default: '0' } } }).values;
const token = process.env.NOTES_TOKEN ?? '';
const notes: string[] = [];

/** One server for each request: what lasts are the notes. */
function notesServer(): McpServer {
  const server = new McpServer({ name: 'notes', version: '0.1.0' });
  const said = (text: string) => ({ content: [{ type: 'text' as const, text }] });
  server.registerTool(
    'add_note',
    { description: 'Adds a note.', inputSchema: z.object({ text: z.string().max(1000) }) },
    ({ text }) => {
      notes.push(text);
      return said(`note ${notes.length}`);
    },
  );
  server.registerTool('read_notes', { description: 'All notes.', annotations: { readOnlyHint: true } }, () =>
    said(notes.join('\n')),
  );
  return server;
}

const handle = toNodeHandler(createMcpHandler(notesServer));
const server = createServer((request, response) => {
  const isKnown = token !== '' && request.headers.authorization === `Bearer ${token}`;
  if (isKnown) void handle(request as Parameters<typeof handle>[0], response);
  else response.writeHead(401).end();
});
server.listen(Number(port), '127.0.0.1', () => {
  const { port: chosen } = server.address() as AddressInfo;
  console.log(JSON.stringify({ url: `http://127.0.0.1:${chosen}/mcp` }));
});
process.once('SIGINT', () => {
  server.close();
  server.closeAllConnections();
});
