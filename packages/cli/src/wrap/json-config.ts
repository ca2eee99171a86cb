import { applyEdits, findNodeAtLocation, getNodeValue, modify, type Node } from 'jsonc-parser';
import { parseJsonc } from '../jsonc.ts';
import type { Dialect, Entry } from './dialect.ts';

/** Where clients keep their servers: Claude Code and Cursor, VS Code, VS Code's settings; in Claude Code's own file also by project. */
const places = [['mcpServers'], ['servers'], ['mcp', 'servers']] as const;

const addressMembers = ['url', 'type', 'headers'];

export const jsonDialect: Dialect = {
  hasVariables: true,
  addressMembers,
  entries(text) {
    const { root } = parseJsonc(text);
    const projects = keysOf(findNodeAtLocation(root, ['projects'])).map((name) => ['projects', name, 'mcpServers']);
    return [...places, ...projects].flatMap((place) => {
      const servers = findNodeAtLocation(root, [...place]);
      return keysOf(servers).flatMap((name): Entry[] => {
        const node = findNodeAtLocation(root, [...place, name]);
        return node?.type === 'object' ? [{ at: [...place, name], value: getNodeValue(node) }] : [];
      });
    });
  },
  withStart(text, at, { command, args, env }) {
    let now = set(text, [...at, 'command'], command);
    now = set(now, [...at, 'args'], args ?? undefined);
    if (has(now, [...at, 'url'])) {
      for (const member of ['url', 'headers']) now = set(now, [...at, member], undefined);
      if (has(now, [...at, 'type'])) now = set(now, [...at, 'type'], 'stdio');
    }
    return env || has(now, [...at, 'env']) ? set(now, [...at, 'env'], env ?? {}) : now;
  },
  withAddress(text, at, members) {
    let now = text;
    for (const member of addressMembers) now = set(now, [...at, member], members[member]);
    for (const member of ['command', 'args', 'env']) now = set(now, [...at, member], undefined);
    return now;
  },
};

function has(text: string, path: readonly string[]): boolean {
  return findNodeAtLocation(parseJsonc(text).root, [...path]) !== undefined;
}

function keysOf(node: Node | undefined): string[] {
  if (node?.type !== 'object') return [];
  return (node.children ?? []).map(({ children }) => String(children?.[0]?.value));
}

function set(text: string, path: readonly string[], value: unknown): string {
  const node = findNodeAtLocation(parseJsonc(text).root, [...path]);
  if (!node && value === undefined) return text;
  // In the place of a value its text alone is exchanged; jsonc-parser lays out what is added.
  if (node && value !== undefined) {
    return text.slice(0, node.offset) + JSON.stringify(value) + text.slice(node.offset + node.length);
  }
  // What is taken out leaves its neighbours as they are written.
  if (value === undefined) return applyEdits(text, modify(text, [...path], undefined, {}));
  const indent = /^([ \t]+)\S/m.exec(text)?.[1] ?? '  ';
  const formattingOptions = {
    insertSpaces: !indent.startsWith('\t'),
    tabSize: indent.length,
    eol: text.includes('\r\n') ? '\r\n' : '\n',
  };
  return applyEdits(text, modify(text, [...path], value, { formattingOptions }));
}
