import { readFileSync } from 'node:fs';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';

/** How long a call may take, in milliseconds: it may wait for a person. */
const callMs = 900_000;

const [config, server = '', tool, args = '{}', meta] = process.argv.slice(2);
if (config === undefined) {
  console.error("usage: node examples/mcp-call/call.ts CONFIG SERVER [TOOL ['ARGUMENTS' ['META']]]");
  process.exit(2);
}

type Start =
  | { readonly command: string; readonly args: readonly string[] }
  | { readonly url: string; readonly headers?: Readonly<Record<string, string>> };

interface Config {
  readonly mcpServers: Readonly<Record<string, Start>>;
}

const { mcpServers } = JSON.parse(readFileSync(config, 'utf8')) as Config;
const start = mcpServers[server];
if (!start) {
  console.error(`${config} names no server ${server}`);
  process.exit(2);
}
const env = Object.fromEntries(Object.entries(process.env).filter((entry): entry is [string, string] => !!entry[1]));
/** `${NAME}` stands for a variable of the environment, as in the files of real clients. */
const filled = (text: string) => text.replaceAll(/\$\{(\w+)\}/g, (_, name: string) => env[name] ?? '');

/** What the program says on its stderr: shown if nothing comes of it. */
const aside: Buffer[] = [];

function transport(to: Start) {
  if ('command' in to) {
    const made = new StdioClientTransport({ command: to.command, args: [...to.args], env, stderr: 'pipe' });
    made.stderr?.on('data', (chunk: Buffer) => aside.push(chunk));
    return made;
  }
  const headers = Object.entries(to.headers ?? {}).map(([name, value]): [string, string] => [name, filled(value)]);
  return new StreamableHTTPClientTransport(new URL(filled(to.url)), {
    requestInit: { headers: Object.fromEntries(headers) },
  });
}

// To find out which era a program speaks would start it twice.
const mode = 'url' in start ? 'auto' : 'legacy';
const client = new Client({ name: 'mcp-call', version: '0.1.0' }, { versionNegotiation: { mode } });
try {
  await client.connect(transport(start));
} catch (error) {
  process.stderr.write(Buffer.concat(aside));
  throw error;
}
try {
  if (tool === undefined) {
    const { tools } = await client.listTools();
    for (const { name } of tools) console.log(name);
  } else {
    const also = meta === undefined ? {} : { _meta: JSON.parse(meta) };
    const answer = await client.callTool({ name: tool, arguments: JSON.parse(args), ...also }, { timeout: callMs });
    for (const part of answer.content as readonly { readonly text?: string }[]) console.log(part.text ?? part);
    process.exitCode = answer.isError ? 1 : 0;
  }
} finally {
  await client.close();
}
