import { GatewayError, type Tool } from '@deed/gateway';
import type { Deployment } from './deployment.ts';

export type Variables = Readonly<Record<string, string>>;

/**
 * The variables by which a tool is given a task's credentials; none if it is registered without.
 * @throws GatewayError credential
 */
export function credentialsOf({ authority }: Deployment, tool: Tool, task: string): Variables {
  const given = tool.credentials.flatMap(({ broker, env }) => {
    const held = authority.credentials.secret(task, broker);
    const fields = env ?? authority.credentials.broker(broker)?.env;
    if (held && fields)
      return Object.entries(fields).map(([variable, field]) => [variable, held.secret[field] ?? ''] as const);
    throw new GatewayError(
      'credential',
      `${tool.name} is given a credential of ${broker}, and this task has none: it names another server, or was opened before the tool was registered so; open a task that allows ${tool.name}`,
    );
  });
  return Object.fromEntries(given);
}

/**
 * The same for sessions of nobody in particular: what each may be handed, in a task that says so.
 * @throws GatewayError credential
 */
export async function implicitCredentials(
  deployment: Deployment,
  tool: Tool,
  open: () => Promise<string>,
): Promise<Variables> {
  const own = tool.credentials.find(({ implicit: anybody }) => !anybody);
  if (own)
    throw new GatewayError(
      'credential',
      `${tool.name} is given a credential of ${own.broker}, one a task: name a task of an enrolled agent`,
    );
  // What is handed a secret has a task that says so, whatever it is used for.
  return tool.credentials.length === 0 ? {} : credentialsOf(deployment, tool, await open());
}
