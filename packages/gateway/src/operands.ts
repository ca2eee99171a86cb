import type { Json, Operands } from '@deed/evidence';
import { GatewayError } from './errors.ts';
import { resolvePaths } from './git/paths.ts';
import { resolvePush } from './git/push-operands.ts';
import type { RelaySession } from './git/relay.ts';
import type { Tool } from './tools/registry.ts';

export interface ResolveOptions {
  readonly tool: Tool;
  readonly name: string;
  readonly arguments: Json;
  /** The way to the task's forge, if it has a credential there. */
  readonly relay: RelaySession | null;
  readonly signal: AbortSignal;
}

/**
 * What a call would really touch, now: real paths for file tools, the exact refs for a push.
 * @throws GatewayError operands; GitError
 */
export async function resolveOperands(options: ResolveOptions): Promise<Operands> {
  const { tool, name, arguments: args, relay, signal } = options;
  if (tool.kind === 'plain') return { kind: 'none' };
  if (typeof args !== 'object' || args === null || Array.isArray(args)) {
    throw new GatewayError('operands', 'the arguments are not an object');
  }
  const fields = args as { readonly [key: string]: Json };
  const path = fields.path;
  if (tool.kind === 'git' && (typeof path !== 'string' || !path.startsWith('/'))) {
    throw new GatewayError('operands', 'cannot tell which working copy is meant: give its absolute path as "path"');
  }
  if (tool.kind === 'git' && name === 'git_push') {
    if (!relay) throw new GatewayError('operands', 'this task has no credential for a forge');
    const call = {
      repositoryPath: String(path),
      arguments: fields,
      session: relay,
      path: process.env.PATH ?? '',
      signal,
    };
    const push = await resolvePush(call);
    if (push.updates.length === 0) throw new GatewayError('operands', 'nothing would be pushed');
    return push as Operands;
  }
  // A git tool takes its other paths relative to the working copy. What a file tool makes of a relative path nobody can tell.
  const paths = await resolvePaths(fields, { base: tool.kind === 'git' ? String(path) : '/' });
  const vague = tool.kind === 'filesystem' && paths.find(({ given }) => !given.startsWith('/'));
  if (vague) throw new GatewayError('operands', `${vague.argument} must be an absolute path`);
  return paths.length === 0 ? { kind: 'none' } : { kind: 'paths', paths: [...paths] };
}
