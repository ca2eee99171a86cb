import { ServerError } from '@deed/server';
import { Command } from 'commander';
import { readAgentKey } from '../agent-key.ts';
import { Client } from '../client.ts';
import { type CommonOptions, command } from '../options.ts';
import { runShim } from '../shim.ts';
import { absolute } from './tool.ts';

export function mcpCommand(): Command {
  return new Command('mcp').description('put Deed between an MCP client and a tool server').addCommand(run());
}

function run(): Command {
  return command('run', 'what an MCP client starts instead of the tool server: a byte pipe to the server of Deed')
    .argument('<command...>', 'the registered command of the tool server, after --')
    .option('--task <id>', 'the task to act in; without it the session is an implicit task')
    .option('--key <file>', "the agent's key")
    .option('--hop <digest>', 'by which hop the agent acts, if it holds several parts of the task')
    .action(async (argv: string[], flags: CommonOptions & { task?: string; key?: string; hop?: string }) => {
      if ((flags.task === undefined) !== (flags.key === undefined)) {
        throw new ServerError('request', 'give both --task and --key, or neither');
      }
      const agent =
        flags.key === undefined || flags.task === undefined
          ? null
          : { ...readAgentKey(flags.key), task: flags.task, hop: flags.hop };
      const { stdin: input, stdout: output } = process;
      await runShim({ client: new Client(flags.data), argv: absolute(argv), agent, input, output });
      process.exit(0); // the client's pipe may stay open after the server ended the session
    });
}
