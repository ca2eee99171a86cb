import { resolve } from 'node:path';
import { ServerError } from '@deed/server';
import type { Command } from 'commander';
import { readAgentKey } from './agent-key.ts';
import type { Client } from './client.ts';
import type { AgentIdentity } from './shim.ts';
import { identityIn, socketOf } from './ssh-agent-key.ts';

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
    .option('--key <file>', "the agent's key; ssh-agent, or ssh-agent:SOCKET, if an ssh-agent holds it")
    .option('--hop <digest>', 'by which hop the agent acts, if it holds several parts of the task')
    .option('--socket <path>', 'where the server listens, for clients that start this with another environment');
}

/** Null: an implicit task. @throws ServerError request; as `readAgentKey`; AuthorityError ssh-agent */
export async function identityOf({ task, key, hop }: AgentFlags, client: Client): Promise<AgentIdentity | null> {
  if ((task === undefined) !== (key === undefined)) {
    throw new ServerError('request', 'give both --task and --key, or neither');
  }
  if (key === undefined || task === undefined) return null;
  const socket = socketOf(key);
  return { ...(socket === undefined ? readAgentKey(key) : await identityIn(socket, client, task)), task, hop };
}

/** A key as whoever starts a program later, elsewhere and in another environment, must name it. */
export function lastingKey(key: string): string {
  const socket = socketOf(key);
  return socket === undefined ? resolve(key) : `ssh-agent:${resolve(socket)}`;
}
