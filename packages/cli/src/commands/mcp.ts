import { ServerError } from '@deed/server';
import { Command } from 'commander';
import { type AgentFlags, agentOptions, identityOf } from '../agent-flags.ts';
import { Client } from '../client.ts';
import { type CommonOptions, command } from '../options.ts';
import { runShim } from '../shim.ts';
import { keyCommand, keysCommand, unkeyCommand } from './mcp-key.ts';
import { absolute } from './tool.ts';
import { unwrapCommand, wrapCommand, wrapsCommand } from './wrap.ts';

export function mcpCommand(): Command {
  return new Command('mcp')
    .description('put Deed between an MCP client and its tool servers')
    .addCommand(run())
    .addCommand(wrapCommand())
    .addCommand(unwrapCommand())
    .addCommand(wrapsCommand())
    .addCommand(keyCommand())
    .addCommand(keysCommand())
    .addCommand(unkeyCommand());
}

interface RunFlags extends CommonOptions, AgentFlags {
  readonly server?: string;
}

function run(): Command {
  const made = command('run', 'what an MCP client starts instead of the tool server: a byte pipe to the server of Deed')
    .argument('[command...]', 'the registered command of the tool server, after --')
    .option('--server <name>', 'the registered tool server by its name, in the place of its command');
  return agentOptions(made).action(async (argv: string[], flags: RunFlags) => {
    if ((argv.length === 0) === (flags.server === undefined))
      throw new ServerError('request', 'name a tool server: its command after --, or --server NAME');
    const tool = flags.server === undefined ? { argv: absolute(argv) } : { name: flags.server };
    const client = new Client(flags.data, flags.socket);
    const agent = await identityOf(flags, client);
    const { stdin: input, stdout: output, stderr: errors } = process;
    await runShim({ client, tool, agent, input, output, errors });
    process.exit(0); // the client's pipe may stay open after the server ended the session
  });
}
