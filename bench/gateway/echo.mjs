// The smallest MCP server over stdio: what a call takes here is what the way to it takes.
import { createInterface } from 'node:readline';

const names = ['observe_echo', 'record_echo', 'attest_echo'];
const tools = names.map((name) => ({ name, description: 'says it again', inputSchema: { type: 'object' } }));

createInterface({ input: process.stdin, terminal: false }).on('line', (line) => {
  const { id, method, params } = JSON.parse(line);
  if (id === undefined) return;
  const result =
    method === 'tools/call'
      ? { content: [{ type: 'text', text: params.arguments.text }] }
      : method === 'tools/list'
        ? { tools }
        : {
            protocolVersion: '2025-11-25',
            capabilities: { tools: {} },
            serverInfo: { name: 'echo', version: '1.0.0' },
          };
  process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', id, result })}\n`);
});
