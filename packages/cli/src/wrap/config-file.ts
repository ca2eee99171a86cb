import { ServerError } from '@deed/server';
import { z } from 'zod';
import type { Address, Dialect, Entry } from './dialect.ts';
import { jsonDialect } from './json-config.ts';
import { tomlDialect } from './toml-config.ts';

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

const texts = z.record(z.string(), z.string()).optional();
const address = z.looseObject({
  url: z.string().min(1),
  type: z.string().optional(),
  headers: texts,
  // As Codex says it.
  http_headers: texts,
  env_http_headers: texts,
  bearer_token_env_var: z.string().optional(),
});

/** The members that say where it is reached, of one by Streamable HTTP; null for any other entry. */
export function addressOf({ value }: Entry): Address | null {
  const parsed = address.safeParse(value);
  if (!parsed.success || value.command !== undefined) return null;
  const { url, type, headers, http_headers, env_http_headers, bearer_token_env_var: bearer } = parsed.data;
  if (type !== undefined && !/^(streamable-?)?http$/i.test(type)) return null;
  if ((headers ?? http_headers ?? env_http_headers ?? bearer) === undefined) return { url, headers: undefined };
  const plain = Object.entries({ ...headers, ...http_headers }).map(([name, text]) => ({
    name,
    value: text,
    variable: null,
  }));
  const named = Object.entries(env_http_headers ?? {}).map(([name, variable]) => ({ name, value: '', variable }));
  const token = bearer === undefined ? [] : [{ name: 'Authorization', value: 'Bearer ', variable: bearer }];
  return { url, headers: [...plain, ...named, ...token] };
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
