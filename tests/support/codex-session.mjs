// One headless session of Codex with a scripted model, on a machine without any other network. Run inside a network namespace.
// Arguments: a folder with both packages, a JSON file {steps, args, model}. Prints what Codex prints: one JSON object a line.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { addressOf } from './agent-model.mjs';

const [agents = '', scriptFile = ''] = process.argv.slice(2);
const { steps, args, model } = JSON.parse(readFileSync(scriptFile, 'utf8'));
const require = createRequire(join(agents, 'package.json'));
const { LLMock } = await import(pathToFileURL(require.resolve('@copilotkit/aimock')).href);

const mock = new LLMock({ port: 0 });
const turns = (request) => request.messages.filter(({ role }) => role === 'tool').length;
mock.on({ predicate: (request) => turns(request) >= steps.length }, { content: 'All done.' });
mock.on({ predicate: () => true }, (request) => ({ toolCalls: [steps[turns(request)]] }));
await mock.start();

// Codex knows a tool of a server by a namespace and a name, which the scripted model does not: the last word is cut off here.
const flat = /"name":"(mcp__\w+?)__(\w+)"/g;
const way = createServer(async (request, response) => {
  const parts = [];
  for await (const part of request) parts.push(part);
  const { 'content-length': _, host: __, connection: ___, ...headers } = request.headers;
  const init = { method: request.method, headers };
  const answer = await fetch(mock.url + request.url, parts.length > 0 ? { ...init, body: Buffer.concat(parts) } : init);
  const text = (await answer.text()).replace(flat, '"namespace":"$1","name":"$2"');
  response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? 'text/plain' }).end(text);
});
await once(way.listen(0, '127.0.0.1'), 'listening');
const address = await addressOf(way.address().port, model);

const provider = [
  ...['model="gpt-5.1"', 'model_provider="scripted"', 'model_providers.scripted.name="scripted"'],
  `model_providers.scripted.base_url="${address.url}/v1"`,
  ...['model_providers.scripted.wire_api="responses"', 'model_providers.scripted.supports_websockets=false'],
].flatMap((setting) => ['-c', setting]);
const codex = join(agents, 'node_modules', '.bin', 'codex');
const command = ['exec', '--json', '--skip-git-repo-check', ...provider, ...args, 'do it'];
const child = spawn(codex, command, { stdio: ['ignore', 'inherit', 'inherit'] });
child.once('exit', async (code) => {
  address.stop();
  way.closeAllConnections();
  way.close();
  await mock.stop();
  process.exit(code ?? 1);
});
