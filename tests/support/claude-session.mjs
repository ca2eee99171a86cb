// One headless session of Claude Code with a scripted model, on a machine without any other network. Run inside a network namespace.
// Arguments: a folder with both packages, a JSON file {steps, args, model}. Prints what Claude Code prints.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { addressOf } from './agent-model.mjs';

const [agents = '', scriptFile = ''] = process.argv.slice(2);
const { steps, args, model } = JSON.parse(readFileSync(scriptFile, 'utf8'));
const require = createRequire(join(agents, 'package.json'));
const { LLMock } = await import(pathToFileURL(require.resolve('@copilotkit/aimock')).href);
const claude = join(
  agents,
  'node_modules',
  '@anthropic-ai',
  `claude-code-${process.platform}-${process.arch}`,
  'claude',
);

const mock = new LLMock({ port: 0 });
const turns = (request) => request.messages.filter(({ role }) => role === 'tool').length;
mock.on({ predicate: (request) => turns(request) >= steps.length }, { content: 'All done.' });
mock.on({ predicate: () => true }, (request) => ({ toolCalls: [steps[turns(request)]] }));
await mock.start();
const address = await addressOf(new URL(mock.url).port, model);

const env = {
  ...process.env,
  ANTHROPIC_BASE_URL: address.url,
  ANTHROPIC_API_KEY: 'none',
  DISABLE_TELEMETRY: '1',
  CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
  IS_SANDBOX: '1',
  MCP_TIMEOUT: '60000',
};
const child = spawn(claude, ['-p', 'do it', '--model', 'claude-sonnet-4-5', '--output-format', 'json', ...args], {
  env,
  stdio: ['ignore', 'inherit', 'inherit'],
});
child.once('exit', async (code) => {
  address.stop();
  await mock.stop();
  process.exit(code ?? 1);
});
