import { ServerError } from '@deed/server';
import { type AST, getStaticTOMLValue, parseTOML } from 'toml-eslint-parser';
import { broken } from '../jsonc.ts';
import type { Dialect, Entry } from './dialect.ts';

const root = 'mcp_servers';
const addressMembers = ['url', 'bearer_token_env_var', 'http_headers', 'env_http_headers'];

/** Codex: `[mcp_servers.NAME]`, in whichever of the ways that TOML has to write it. */
export const tomlDialect: Dialect = {
  hasVariables: false,
  addressMembers,
  entries(text) {
    const servers = rootValue(text)[root];
    if (typeof servers !== 'object' || servers === null) return [];
    return Object.entries(servers).flatMap(([name, value]): Entry[] =>
      typeof value === 'object' && value !== null && !Array.isArray(value)
        ? [{ at: [root, name], value: value as Readonly<Record<string, unknown>> }]
        : [],
    );
  },
  withStart(text, at, { command, args, env }) {
    const address = find(text, [...at, 'url']);
    let now = address
      ? setBeside(text, [...at, 'url'], 'command', command)
      : replaced(text, [...at, 'command'], command);
    now = args ? setBeside(now, [...at, 'command'], 'args', args) : removed(now, [...at, 'args']);
    if (address) now = addressMembers.reduce((rest, member) => dropped(rest, [...at, member]), now);
    now = emptied(now, [...at, 'env']);
    if (!env) return now;
    const header = tableOf(now, [...at, 'env']);
    return header ? filled(now, header, env) : setBeside(now, [...at, 'command'], 'env', env);
  },
  withAddress(text, at, members) {
    const there = addressMembers.filter((member) => members[member] !== undefined);
    const now = there.reduceRight((all, member) => setBeside(all, [...at, 'command'], member, members[member]), text);
    return ['command', 'args', 'env'].reduce((rest, member) => dropped(rest, [...at, member]), now);
  },
};

/** One `key = value`, wherever it stands. */
interface Assignment {
  readonly path: readonly string[];
  readonly node: AST.TOMLKeyValue;
  readonly isInline: boolean;
}

function parse(text: string): AST.TOMLTopLevelTable {
  try {
    const [top] = parseTOML(text).body;
    return top;
  } catch (error) {
    const { index, message } = error as Error & { index?: number };
    if (index === undefined) throw error;
    throw broken(text, index, message);
  }
}

function rootValue(text: string): Readonly<Record<string, unknown>> {
  return getStaticTOMLValue(parse(text)) as Readonly<Record<string, unknown>>;
}

function assignments(text: string): readonly Assignment[] {
  return parse(text).body.flatMap((node) => {
    if (node.type === 'TOMLKeyValue') return within([], node, false);
    const path = node.resolvedKey.map(String);
    return node.body.flatMap((inner) => within(path, inner, false));
  });
}

function within(prefix: readonly string[], node: AST.TOMLKeyValue, isInline: boolean): Assignment[] {
  const path = [...prefix, ...node.key.keys.map(nameOf)];
  const inner = node.value.type === 'TOMLInlineTable' ? node.value.body : [];
  return [{ path, node, isInline }, ...inner.flatMap((one) => within(path, one, true))];
}

function nameOf(key: AST.TOMLBare | AST.TOMLQuoted): string {
  return key.type === 'TOMLBare' ? key.name : key.value;
}

function find(text: string, path: readonly string[]): Assignment | undefined {
  return assignments(text).find((one) => JSON.stringify(one.path) === JSON.stringify(path));
}

function tableOf(text: string, path: readonly string[]): AST.TOMLTable | undefined {
  return parse(text).body.find(
    (node): node is AST.TOMLTable =>
      node.type === 'TOMLTable' && JSON.stringify(node.resolvedKey.map(String)) === JSON.stringify(path),
  );
}

function splice(text: string, [start, end]: AST.Range, by: string): string {
  return text.slice(0, start) + by + text.slice(end);
}

function replaced(text: string, path: readonly string[], value: unknown): string {
  const found = find(text, path);
  if (!found) throw new ServerError('request', `${path.join('.')} is not where it was`);
  return splice(text, found.node.value.range, written(value));
}

/** Sets a member, and adds it after one of the same table if it is not there yet. */
function setBeside(text: string, beside: readonly string[], name: string, value: unknown): string {
  const path = [...beside.slice(0, -1), name];
  if (find(text, path)) return replaced(text, path, value);
  const found = find(text, beside);
  if (!found) throw new ServerError('request', `${beside.join('.')} is not where it was`);
  const { node, isInline } = found;
  const keys = node.key.keys;
  const last = keys.at(-1);
  const before = last ? text.slice(node.key.range[0], last.range[0]) : ''; // of a dotted key
  const lineStart = text.lastIndexOf('\n', node.range[0] - 1) + 1;
  const indent = /^[ \t]*/.exec(text.slice(lineStart, node.range[0]))?.[0] ?? '';
  const added = `${before}${name} = ${written(value)}`;
  const [, end] = node.range;
  if (isInline) return splice(text, [end, end], `, ${added}`);
  // After the whole line: a comment behind the value stays with it.
  const lineEnd = text.indexOf('\n', end);
  const eol = text.includes('\r\n') ? '\r\n' : '\n';
  if (lineEnd < 0) return `${text}${eol}${indent}${added}${eol}`;
  return splice(text, [lineEnd + 1, lineEnd + 1], `${indent}${added}${eol}`);
}

/** Puts members right below the header of a table that is empty. */
function filled(text: string, { key }: AST.TOMLTable, members: Readonly<Record<string, string>>): string {
  const eol = text.includes('\r\n') ? '\r\n' : '\n';
  const lines = Object.entries(members).map(([name, value]) => `${written(name)} = ${written(value)}${eol}`);
  const lineEnd = text.indexOf('\n', key.range[1]);
  if (lineEnd < 0) return `${text}${eol}${lines.join('')}`;
  return splice(text, [lineEnd + 1, lineEnd + 1], lines.join(''));
}

/** Takes out a `key = value`; a comment behind it stays. */
function removed(text: string, path: readonly string[]): string {
  const found = find(text, path);
  if (!found) return text;
  const [start, end] = found.node.range;
  if (found.isInline) {
    const comma = /^\s*,\s*/.exec(text.slice(end))?.[0] ?? '';
    if (comma !== '') return splice(text, [start, end + comma.length], '');
    const before = /,\s*$/.exec(text.slice(0, start))?.[0] ?? '';
    return splice(text, [start - before.length, end], '');
  }
  const rest = /^[ \t]*\r?\n/.exec(text.slice(end))?.[0];
  const lineStart = text.lastIndexOf('\n', start - 1) + 1;
  const whole = rest !== undefined && text.slice(lineStart, start).trim() === '';
  return splice(text, whole ? [lineStart, end + rest.length] : [start, end], '');
}

/** Empties a table, however it is written: inline, dotted, or with a header of its own. */
function emptied(text: string, path: readonly string[]): string {
  const inline = find(text, path);
  if (inline) return splice(text, inline.node.value.range, '{}');
  const inner = assignments(text).find(
    (one) => one.path.length > path.length && JSON.stringify(one.path.slice(0, path.length)) === JSON.stringify(path),
  );
  return inner ? emptied(removed(text, inner.path), path) : text;
}

/** Takes out a member with all that is in it, however it is written; comments stay. */
function dropped(text: string, path: readonly string[]): string {
  const found = assignments(text).find(
    (one) => JSON.stringify(one.path.slice(0, path.length)) === JSON.stringify(path) && !one.isInline,
  );
  if (found) return dropped(removed(text, found.path), path);
  const inline = find(text, path);
  if (inline) return removed(text, path);
  const header = tableOf(text, path);
  if (!header) return text;
  const lineStart = text.lastIndexOf('\n', header.key.range[0] - 1) + 1;
  const open = /^[ \t]*\[[ \t]*/.exec(text.slice(lineStart))?.[0] ?? '';
  const close = /^[ \t]*\][ \t]*(\r?\n)?/.exec(text.slice(header.key.range[1]))?.[0] ?? '';
  return splice(text, [lineStart, Math.max(lineStart + open.length, header.key.range[1] + close.length)], '');
}

/** JSON's strings are TOML's, but for U+007F. */
function written(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value).replaceAll('\u007f', '\\u007f');
  if (Array.isArray(value)) return `[${value.map(written).join(', ')}]`;
  const members = Object.entries(value as Readonly<Record<string, unknown>>);
  return members.length === 0
    ? '{}'
    : `{ ${members.map(([key, one]) => `${written(key)} = ${written(one)}`).join(', ')} }`;
}
