import { ActionRefused } from './errors.ts';
import { guard } from './guard.ts';
import type { TaskClient } from './task-client.ts';

/** What `tool()` of OpenAI Agents JS is given, as far as it matters here. */
interface ToolOptions {
  readonly name?: string | undefined;
  readonly execute: (input: never, context?: never, details?: never) => unknown;
}

interface Details {
  readonly toolCall?: { readonly callId: string };
}

type Execute = (input: unknown, context: unknown, details?: Details) => unknown;

/**
 * The options of a function tool of OpenAI Agents JS, behind Deed: `tool(guardTool(client, 'self:<name>', {…}))`. `execute` runs only if
 * the call is allowed, and the model's id of the call is on its receipt. A refusal is the tool's output, in words for the model.
 * @param server what policy and tasks call it: `self:<name>`
 */
export function guardTool<Options extends ToolOptions & { readonly name: string }>(
  client: TaskClient,
  server: string,
  options: Options,
): Options {
  const original = options.execute as Execute;
  const execute: Execute = (input, context, details) =>
    guard(client, {
      call: {
        server,
        tool: options.name,
        arguments: typeof input === 'object' && input !== null ? { ...input } : { input },
        toolCallId: details?.toolCall?.callId,
      },
      execute: () => original(input, context, details),
    }).catch((error: unknown) => {
      if (error instanceof ActionRefused) return `Deed refused this call. ${error.message}`;
      throw error;
    });
  return { ...options, execute };
}
