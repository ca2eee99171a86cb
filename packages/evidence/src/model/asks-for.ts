import { isSameValue, type Json } from '../json.ts';
import type { AskedCall } from './tool-calls.ts';

/**
 * Whether a model means a tool by a name: clients put the name of the server before it, and write what a model does not take in a
 * name as `_`.
 */
export function meansTool(asked: string, tool: string): boolean {
  const names = [tool, tool.replaceAll(/[^A-Za-z0-9_-]/g, '_')];
  return names.some((name) => name !== '' && (asked === name || /(__|[./:])$/.test(before(asked, name))));
}

function before(asked: string, name: string): string {
  return asked.endsWith(name) ? asked.slice(0, -name.length) : '';
}

/** Whether a call that a model asked for is one of this tool with these arguments. */
export function asksFor(call: AskedCall, tool: string, given: Json): boolean {
  return call.arguments !== undefined && meansTool(call.name, tool) && isSameValue(call.arguments, given);
}
