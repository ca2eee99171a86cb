import { existsSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, delimiter, dirname, isAbsolute, join, resolve } from 'node:path';
import { placeholderOf, type WrapServer } from '@deed/server';
import { addressOf, behindDeed, stdioOf } from './config-file.ts';
import type { Dialect, Entry } from './dialect.ts';
import { isSecret, secretIn } from './plain-secrets.ts';

/** Something in the file, and what is to be said of it. */
export interface Remark {
  readonly at: readonly string[];
  readonly what: string;
}

export interface WrapPlan {
  readonly servers: readonly WrapServer[];
  /** Entries that stay as they are, and why. */
  readonly left: readonly Remark[];
  /** Secrets that stand in the file in the clear and stay there. */
  readonly plain: readonly Remark[];
  /** Where each secret that is moved stood. */
  readonly moved: readonly (Remark & { readonly variable: string })[];
}

export interface PlanOptions {
  readonly dialect: Dialect;
  readonly entries: readonly Entry[];
  /** The file's. */
  readonly path: string;
  /** Of the client: what variables stand for, and where programs are looked for. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Variables that are secret, or are not, whatever they look like. */
  readonly secret: readonly string[];
  readonly notSecret: readonly string[];
  /** Servers with an address at which nobody has to sign in. */
  readonly open: readonly string[];
}

/** An entry that cannot run behind Deed. */
class Left extends Error {}

/** What becomes of each entry. */
export function planWrap(options: PlanOptions): WrapPlan {
  const servers: WrapServer[] = [];
  const left: Remark[] = [];
  const plain: Remark[] = [];
  const moved: WrapPlan['moved'][number][] = [];
  for (const entry of options.entries) {
    const { at } = entry;
    try {
      const { server, stood } = planEntry(entry, options);
      servers.push(server);
      moved.push(...stood.map(({ variable, what }) => ({ at, variable, what })));
    } catch (error) {
      if (!(error instanceof Left)) throw error;
      left.push({ at, what: error.message });
      plain.push(...plainIn(entry));
    }
  }
  return { servers, left, plain, moved };
}

interface PlannedEntry {
  readonly server: WrapServer;
  readonly stood: readonly { readonly variable: string; readonly what: string }[];
}

function planEntry(entry: Entry, options: PlanOptions): PlannedEntry {
  const { at, value } = entry;
  if (behindDeed(entry) !== undefined) throw new Left('behind Deed already');
  if (typeof value.command !== 'string') return planAddress(entry, options);
  if (value.envFile !== undefined)
    throw new Left('takes its environment from a file (envFile): put that into "env" first');
  const { command, args = [], env = {}, cwd } = stdioOf(entry);
  const folder = folderOf(at, options.path);
  const fill = (text: string) => (options.dialect.hasVariables ? filled(text, folder, options.env) : text);
  const base = cwd === undefined ? folder : resolve(folder, fill(cwd));
  const words: string[] = [];
  const secrets = new Map<string, string>();
  const stood: PlannedEntry['stood'][number][] = [];
  for (const [i, arg] of args.entries()) {
    const word = fill(arg);
    const found = secretIn(word, i > 0 ? args[i - 1] : undefined);
    if (!found || options.notSecret.includes(found.secret)) {
      words.push(absoluteWord(word, base));
      continue;
    }
    const variable = freeName(`ARG_${found.name.toUpperCase().replaceAll(/[^A-Z0-9]+/g, '_')}`, secrets, env);
    secrets.set(variable, found.secret);
    stood.push({ variable, what: `argument ${i + 1}` });
    words.push(found.before + placeholderOf(variable) + found.after);
  }
  const given: Record<string, string> = { HOME: options.env.HOME ?? homedir() };
  if (options.env.PATH !== undefined) given.PATH = options.env.PATH;
  for (const [name, written] of [...Object.entries(env), ...forwarded(value, options.env)]) {
    const text = fill(written);
    const secret = options.secret.includes(name) || (isSecret(name, text) && !options.notSecret.includes(name));
    if (!secret || text === '') given[name] = text;
    else {
      secrets.set(name, text);
      stood.push({
        variable: name,
        what: text === written && name in env ? `env ${name}` : `${name} of the environment`,
      });
    }
  }
  const argv = [programOf(fill(command), base, given.PATH ?? ''), ...words];
  const name = nameOf(at.at(-1) ?? '');
  const held = [...secrets].map(([variable, text]) => ({ variable, value: text }));
  return { server: { at: [...at], name, argv, env: given, cwd: base, secrets: held }, stood };
}

/** One that is reached by Streamable HTTP, with what it is shown in its headers. */
function planAddress(entry: Entry, { dialect, path, env, secret, notSecret, open }: PlanOptions): PlannedEntry {
  const address = addressOf(entry);
  if (!address)
    throw new Left('neither a command nor an address by Streamable HTTP (an older one, SSE, does not pass)');
  const key = entry.at.at(-1) ?? '';
  if (address.headers === undefined && !open.includes(key))
    throw new Left(
      `an address without headers: its user may sign in through the client, which does not pass; else --open ${key}`,
    );
  const folder = folderOf(entry.at, path);
  const fill = (text: string) => (dialect.hasVariables ? filled(text, folder, env) : text);
  const url = fill(address.url);
  if (secretIn(url, undefined) !== null) throw new Left('its address holds a secret: move it into a header');
  const headers: Record<string, string> = {};
  const secrets = new Map<string, string>();
  const stood: PlannedEntry['stood'][number][] = [];
  for (const { name, value: written, variable: from } of address.headers ?? []) {
    const text = from === null ? fill(written) : written + setHere(from, env);
    const scheme = /^(Bearer|Basic|Token) +(?=\S)/i.exec(text)?.[0] ?? '';
    const value = text.slice(scheme.length);
    const isOne =
      secret.includes(name) || scheme !== '' || ((from !== null || isSecret(name, value)) && !notSecret.includes(name));
    if (!isOne || value === '') headers[name] = text;
    else {
      const variable = freeName(`HEADER_${name.toUpperCase().replaceAll(/[^A-Z0-9]+/g, '_')}`, secrets);
      secrets.set(variable, value);
      stood.push({ variable, what: from === null ? `header ${name}` : `${from} of the environment` });
      headers[name] = scheme + placeholderOf(variable);
    }
  }
  const held = [...secrets].map(([variable, value]) => ({ variable, value }));
  const name = nameOf(key);
  return { server: { at: [...entry.at], name, argv: [], env: {}, cwd: null, url, headers, secrets: held }, stood };
}

/** @throws Left where it is not set here */
function setHere(variable: string, env: PlanOptions['env']): string {
  const value = env[variable];
  if (value === undefined) throw new Left(`only the client knows what ${variable} is: set it here as well`);
  return value;
}

/** Codex hands these on from its own environment, by name. */
function forwarded(value: Entry['value'], env: PlanOptions['env']): [string, string][] {
  const names = Array.isArray(value.env_vars) ? value.env_vars : [];
  return names.flatMap((one): [string, string][] => {
    const name = typeof one === 'object' && one !== null && 'name' in one ? String(one.name) : String(one);
    const found = env[name];
    return found === undefined ? [] : [[name, found]];
  });
}

/** Where a client starts the servers of this file: the project's folder, or the home folder. */
function folderOf(at: readonly string[], path: string): string {
  const [projects, project] = at;
  if (projects === 'projects' && project !== undefined) return project;
  const folder = dirname(path);
  return basename(folder).startsWith('.') ? dirname(folder) : folder;
}

const reference = /\$\{([^}]*)\}/g;

/** @throws Left for what only the client knows */
function filled(text: string, folder: string, env: PlanOptions['env']): string {
  return text.replaceAll(reference, (whole, inside: string) => {
    if (inside === 'workspaceFolder') return folder;
    if (inside === 'userHome') return env.HOME ?? homedir();
    if (inside === 'pathSeparator' || inside === '/') return '/';
    const [, name, otherwise] = /^(?:env:)?([A-Za-z_]\w*)(?::-(.*))?$/s.exec(inside) ?? [];
    const value = name === undefined ? undefined : (env[name] ?? otherwise);
    if (value === undefined)
      throw new Left(`only the client knows what ${whole} is: write the value, and it is moved into the broker`);
    return value;
  });
}

function programOf(command: string, base: string, path: string): string {
  const places = command.includes('/')
    ? [resolve(base, command)]
    : path.split(delimiter).map((dir) => join(dir, command));
  const found = places.find((place) => isAbsolute(place) && existsSync(place) && statSync(place).isFile());
  if (found === undefined) throw new Left(`there is no program ${command}`);
  return found;
}

/** A file that is named from the working folder is named as a whole, so that its digest is registered. */
function absoluteWord(word: string, base: string): string {
  if (!word.includes('/') || word.includes('://') || isAbsolute(word) || word.startsWith('-')) return word;
  return existsSync(resolve(base, word)) ? resolve(base, word) : word;
}

function nameOf(key: string): string {
  const name = key
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]+/g, '-')
    .replace(/^[^a-z0-9]+/, '')
    .slice(0, 40);
  return name === '' ? 'server' : name;
}

function freeName(
  wanted: string,
  ...taken: readonly (ReadonlyMap<string, string> | Readonly<Record<string, string>>)[]
): string {
  const isTaken = (name: string) => taken.some((one) => (one instanceof Map ? one.has(name) : name in one));
  let name = wanted;
  for (let n = 2; isTaken(name); n++) name = `${wanted}_${n}`;
  return name;
}

/** Secrets in an entry that stays as it is. */
function plainIn({ at, value }: Entry): Remark[] {
  const found: string[] = [];
  const visit = (node: unknown, path: readonly string[], previous?: unknown) => {
    if (typeof node === 'string') {
      const name = path.at(-1) ?? '';
      const plain = /^[0-9]+$/.test(name)
        ? secretIn(node, typeof previous === 'string' ? previous : undefined) !== null
        : isSecret(name, node) || secretIn(node, undefined) !== null;
      if (plain && !/^\$\{[^}]*\}$|\s\$\{[^}]*\}$/.test(node)) found.push(path.join('.'));
    } else if (Array.isArray(node)) node.forEach((one, i) => void visit(one, [...path, String(i + 1)], node[i - 1]));
    else if (typeof node === 'object' && node !== null)
      for (const [key, one] of Object.entries(node)) if (!/env_var|env_http/.test(key)) visit(one, [...path, key]);
  };
  visit(value, []);
  return found.map((what) => ({ at, what }));
}
