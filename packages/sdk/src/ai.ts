import type { ToolSet } from 'ai';
import { guard } from './guard.ts';
import type { TaskClient } from './task-client.ts';

type Execute = (input: unknown, options: { readonly toolCallId: string }) => unknown;

/**
 * Tools of the Vercel AI SDK, each behind Deed: `execute` runs only if the call is allowed, and the model's id of the call is on
 * its receipt. A refusal is thrown, which the SDK gives to the model as a tool error. Tools without `execute` are left as they are. Of a
 * tool that yields several values the last one is the result.
 * @param server what policy and tasks call them: `self:<name>`
 */
export function guardTools<Tools extends ToolSet>(client: TaskClient, server: string, tools: Tools): Tools {
  const guarded = Object.entries(tools).map(([name, tool]) => {
    const { execute } = tool as { readonly execute?: Execute };
    if (!execute) return [name, tool];
    const behind: Execute = (input, options) =>
      guard(client, {
        call: { server, tool: name, arguments: argumentsOf(input), toolCallId: options.toolCallId },
        execute: () => lastOf(execute.call(tool, input, options)),
      });
    return [name, { ...tool, execute: behind }];
  });
  return Object.fromEntries(guarded) as Tools;
}

function argumentsOf(input: unknown): Readonly<Record<string, unknown>> {
  const isObject = typeof input === 'object' && input !== null && !Array.isArray(input);
  return isObject ? (input as Readonly<Record<string, unknown>>) : { input };
}

async function lastOf(value: unknown): Promise<unknown> {
  if (typeof value !== 'object' || value === null || !(Symbol.asyncIterator in value)) return value;
  let last: unknown;
  for await (const each of value as AsyncIterable<unknown>) last = each;
  return last;
}
