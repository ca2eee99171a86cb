import { ServerError } from '@deed/server';
import { z } from 'zod';
import { jsonDialect } from './json-config.ts';
import { tomlDialect } from './toml-config.ts';

/** One server in a client's configuration. */
export interface Entry {
  /** The keys that lead to it. */
  readonly at: readonly string[];
  /** What stands there, as plain values. */
  readonly value: Readonly<Record<string, unknown>>;
}

/** What an entry is to start. Every other member of it stays. */
export interface Start {
  readonly command: string;
  /** Null: the entry has no such member. */
  readonly args: readonly string[] | null;
  /** Null: whatever stands there is emptied, and nothing is added. */
  readonly env: Readonly<Record<string, string>> | null;
}

/** How a client writes its configuration. */
export interface Dialect {
  /** @throws ServerError request, with line and column */
  entries(text: string): readonly Entry[];
  /** The text with one entry changed, and nothing else. */
  withStart(text: string, at: readonly string[], start: Start): string;
  /** Whether `${NAME}` in a value stands for something else. */
  readonly hasVariables: boolean;
}

export function dialectOf(path: string): Dialect {
  return path.endsWith('.toml') ? tomlDialect : jsonDialect;
}

const stdio = z.looseObject({
  command: z.string().min(1),
  args: z.array(z.string()).optional(),
  env: z.record(z.string(), z.string()).optional(),
  cwd: z.string().optional(),
});
export type StdioEntry = z.infer<typeof stdio>;

/** The members that say what is started. @throws ServerError request */
export function stdioOf({ at, value }: Entry): StdioEntry {
  const parsed = stdio.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new ServerError('request', `${at.join('.')}: ${z.prettifyError(parsed.error)}`);
}

/** The server that an entry has `deed mcp run` start: its name, `null` if it names a command, undefined if it is not behind Deed. */
export function behindDeed({ value }: Entry): string | null | undefined {
  const args = Array.isArray(value.args) ? value.args.map(String) : [];
  const at = args.findIndex((word, i) => word === 'mcp' && args[i + 1] === 'run');
  const program = [String(value.command ?? ''), ...args.slice(0, Math.max(at, 0))];
  const isDeed = program.some((word) => /(^|\/)(deed(\.mjs)?|cli\/src\/main\.ts)$/.test(word));
  if (at < 0 || !isDeed) return undefined;
  const name = args.indexOf('--server', at);
  return name < 0 ? null : (args[name + 1] ?? null);
}
