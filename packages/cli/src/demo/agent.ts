import { Client as McpClient } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { selfCommand } from '../process.ts';

/** How long a call may take in the demo, in milliseconds: with --ask it waits for a person. */
const callMs = 900_000;

export interface ToolAnswer {
  readonly isError: boolean;
  readonly text: string;
}

/** The agent's side of one tool server: the official MCP client, started with `deed mcp run` instead of the tool. */
export class AgentTools {
  private readonly client: McpClient;

  private constructor(client: McpClient) {
    this.client = client;
  }

  static async connect(options: {
    readonly data: string;
    readonly task: string;
    readonly key: string;
    readonly argv: readonly string[];
  }): Promise<AgentTools> {
    const { data, task, key, argv } = options;
    const [command = '', ...args] = selfCommand(
      'mcp',
      'run',
      '--data',
      data,
      '--task',
      task,
      '--key',
      key,
      '--',
      ...argv,
    );
    const client = new McpClient({ name: 'release-agent', version: '1.0.0' });
    const env = Object.fromEntries(
      Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined),
    );
    const transport = new StdioClientTransport({ command, args, env, stderr: 'pipe' });
    const aside: Buffer[] = []; // what the tool says to its user, shown if nothing comes of it
    transport.stderr?.on('data', (chunk: Buffer) => aside.push(chunk));
    await client.connect(transport).catch((error: unknown) => {
      process.stderr.write(Buffer.concat(aside));
      throw error;
    });
    return new AgentTools(client);
  }

  async toolNames(): Promise<readonly string[]> {
    const { tools } = await this.client.listTools();
    return tools.map(({ name }) => name);
  }

  async call(name: string, args: Record<string, unknown>): Promise<ToolAnswer> {
    const result = await this.client.callTool({ name, arguments: args }, { timeout: callMs });
    const content = (result.content ?? []) as readonly { readonly type: string; readonly text?: string }[];
    return { isError: result.isError === true, text: content.map(({ text = '' }) => text).join('\n') };
  }

  async close(): Promise<void> {
    await this.client.close();
  }
}
