import { ServerError } from '@deed/server';
import { applyEdits, findNodeAtLocation, getNodeValue, modify, type Node } from 'jsonc-parser';
import { z } from 'zod';
import { parseJsonc } from '../jsonc.ts';

/** Seconds that Claude Code gives a hook: more than the hook gives itself. */
const timeoutSeconds = 60;

interface Handler {
  readonly type: 'command';
  readonly command: string;
  readonly timeout: number;
  readonly onFailure?: 'block';
}

export interface HookGroup {
  readonly event: string;
  readonly matcher?: string;
  readonly hooks: readonly Handler[];
}

/**
 * One group for each event that Deed is told of. Whatever ends the hook of PreToolUse, the call is blocked: the shell turns any exit
 * code into 2, the hook answers 2 by itself when time is up, and `onFailure` is for what neither can (Claude Code 2.1.295 or newer).
 */
export function hookGroups(words: readonly string[]): readonly HookGroup[] {
  const told = words.map(quoted).join(' ');
  const handler = { type: 'command', command: told, timeout: timeoutSeconds } as const;
  const asked = { ...handler, command: `${told} || exit 2`, onFailure: 'block' } as const;
  return [
    { event: 'PreToolUse', matcher: '*', hooks: [asked] },
    { event: 'PostToolUse', matcher: '*', hooks: [handler] },
    { event: 'PostToolUseFailure', matcher: '*', hooks: [handler] },
    // A hook of Stop that blocks keeps the agent going.
    { event: 'Stop', hooks: [{ ...handler, command: `${told} || exit 1` }] },
    { event: 'SessionEnd', hooks: [handler] },
  ];
}

/** Settings with these groups added; what else stands there stays as it is, comments too. */
export function withHooks(text: string, groups: readonly HookGroup[]): string {
  return groups.reduce((now, { event, ...group }) => {
    const exists = findNodeAtLocation(rootOf(now), ['hooks', event]);
    return exists
      ? changed(now, ['hooks', event, 0], group, true) // before the others, so that no comment of theirs is between
      : changed(now, ['hooks', event], [group]);
  }, text);
}

/** Settings without any hook of Deed, and without what is empty then. */
export function withoutHooks(text: string): string {
  for (;;) {
    const found = places(text)[0];
    if (!found) return text;
    text = changed(text, emptied(text, found.path), undefined);
  }
}

/** The events for which a hook of Deed stands there. */
export function hooksIn(text: string): readonly string[] {
  return [...new Set(places(text).map(({ path }) => String(path[1])))];
}

interface Place {
  readonly path: readonly (string | number)[];
}

const hooks = z.record(z.string(), z.array(z.looseObject({ hooks: z.array(z.looseObject({ command: z.unknown() })) })));

function places(text: string): readonly Place[] {
  const node = findNodeAtLocation(rootOf(text), ['hooks']);
  if (!node) return [];
  const parsed = hooks.safeParse(getNodeValue(node));
  if (!parsed.success) throw new ServerError('request', `"hooks" has another form than Claude Code knows`);
  return Object.entries(parsed.data).flatMap(([event, groups]) =>
    groups.flatMap((group, at) =>
      group.hooks.flatMap(({ command }, i) => (isOurs(command) ? [{ path: ['hooks', event, at, 'hooks', i] }] : [])),
    ),
  );
}

/** The outermost of what would be empty without this. */
function emptied(text: string, path: readonly (string | number)[]): (string | number)[] {
  const root = rootOf(text);
  let at = [...path];
  const isOnly = (parent: Node | undefined) => (parent?.children?.length ?? 0) <= 1;
  // A group goes with its last hook, an event with its last group, "hooks" with its last event.
  if (isOnly(findNodeAtLocation(root, at.slice(0, 4)))) at = at.slice(0, 3);
  if (at.length === 3 && isOnly(findNodeAtLocation(root, at.slice(0, 2)))) at = at.slice(0, 2);
  if (at.length === 2 && isOnly(findNodeAtLocation(root, at.slice(0, 1)))) at = at.slice(0, 1);
  return at;
}

function isOurs(command: unknown): boolean {
  return typeof command === 'string' && /(^|[\s'])hook'? '?claude-code('|\s|$)/.test(command);
}

function changed(text: string, path: (string | number)[], value: unknown, isArrayInsertion = false): string {
  // What is taken out leaves its neighbours as they are written.
  const layout = value === undefined ? {} : { formattingOptions: { insertSpaces: true, tabSize: 2, eol: '\n' } };
  return applyEdits(text, modify(text, path, value, { ...layout, isArrayInsertion }));
}

function rootOf(text: string): Node {
  return parseJsonc(text).root;
}

/** One word for a POSIX shell. */
function quoted(word: string): string {
  return /^[A-Za-z0-9_./=:@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
