import { Command } from 'commander';
import { type AgentFlags, agentOptions, identityOf } from '../agent-flags.ts';
import { Client } from '../client.ts';
import { type CommonOptions, command } from '../options.ts';
import { runShim } from '../shim.ts';
import { absolute } from './tool.ts';

export function mcpCommand(): Command {
  return new Command('mcp').description('put Deed between an MCP client and a tool server').addCommand(run());
}

function run(): Command {
  const made = command(
    'run',
    'what an MCP client starts instead of the tool server: a byte pipe to the server of Deed',
  ).argument('<command...>', 'the registered command of the tool server, after --');
  return agentOptions(made).action(async (argv: string[], flags: CommonOptions & AgentFlags) => {
    const agent = identityOf(flags);
    const { stdin: input, stdout: output } = process;
    await runShim({ client: new Client(flags.data, flags.socket), argv: absolute(argv), agent, input, output });
    process.exit(0); // the client's pipe may stay open after the server ended the session
  });
}
