import { ServerError } from '@deed/server';
import type { Command } from 'commander';
import { readAgentKey } from './agent-key.ts';
import type { AgentIdentity } from './shim.ts';

/** Who a program on the agent's side speaks for, and where the server listens. */
export interface AgentFlags {
  readonly task?: string;
  readonly key?: string;
  readonly hop?: string;
  readonly socket?: string;
}

export function agentOptions(made: Command): Command {
  return made
    .option('--task <id>', 'the task to act in; without it the session is an implicit task')
    .option('--key <file>', "the agent's key")
    .option('--hop <digest>', 'by which hop the agent acts, if it holds several parts of the task')
    .option('--socket <path>', 'where the server listens, for clients that start this with another environment');
}

/** Null: an implicit task. @throws ServerError request; as `readAgentKey` */
export function identityOf({ task, key, hop }: AgentFlags): AgentIdentity | null {
  if ((task === undefined) !== (key === undefined)) {
    throw new ServerError('request', 'give both --task and --key, or neither');
  }
  return key === undefined || task === undefined ? null : { ...readAgentKey(key), task, hop };
}
