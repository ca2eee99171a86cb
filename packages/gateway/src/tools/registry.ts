import { createHash } from 'node:crypto';
import { readFileSync, realpathSync, statSync } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';
import { sha256, toHex, utf8 } from '@deed/evidence';
import type { Database } from '@deed/store';
import { z } from 'zod';
import { GatewayError } from '../errors.ts';
import { operation } from './operation.ts';

export const toolKinds = ['plain', 'filesystem', 'git'] as const;
export type ToolKind = (typeof toolKinds)[number];

const variable = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/);

/** A broker whose credential of the task the tool is given, and which variable holds which part of it; absent: as the broker says. */
export const toolCredential = z.strictObject({
  broker: z.string().min(1).max(63),
  env: z.record(variable, z.string().min(1).max(63)).optional(),
  /** Sessions that name no task are handed it too: for static secrets alone. */
  implicit: z.literal(true).optional(),
});
export type ToolCredential = z.infer<typeof toolCredential>;

const httpUrl = z
  .string()
  .max(2048)
  .refine(isHttpUrl, 'an http or https address, without a user, a password or a fragment');
const headerName = z.string().regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$/, 'the name of a header');
const headerValue = z.string().regex(/^[\x20-\x7e]{1,4096}$/, 'the value of a header, in printable ASCII');

const registration = z
  .strictObject({
    name: z.string().regex(/^[a-z0-9][a-z0-9._-]{0,62}$/, 'lower-case letters, digits, ".", "_", "-"'),
    /** What the gateway knows of its arguments: `filesystem` and `git` have their operands resolved. */
    kind: z.enum(toolKinds),
    /** The whole command; the first word absolute or found on the server's PATH. Empty for one that is reached by its address. */
    argv: z.array(z.string().min(1).max(4096)).max(256),
    /** Added to the cleared environment. */
    env: z.record(variable, z.string()),
    /** Where it starts; null: in an empty folder of its own. */
    cwd: z.string().startsWith('/').max(4096).nullable(),
    credentials: z.array(toolCredential).max(64),
    /** Where it is reached by Streamable HTTP; null for one that is started. */
    url: httpUrl.nullable().default(null),
    /** What each request to its address carries; `${deed:NAME}` stands for a variable of its credentials. */
    headers: z.record(headerName, headerValue).default({}),
    /** What the gateway itself may ask the HTTP service at this address for; none: an MCP server is there. */
    operations: z.array(operation).max(256).default([]),
  })
  .refine(({ argv, url }) => argv.length > 0 === (url === null), 'either a command or an address')
  .refine(({ url, env, cwd }) => url === null || (Object.keys(env).length === 0 && cwd === null), {
    message: 'what is reached by its address has neither an environment nor a folder here',
  })
  .refine(({ url, headers }) => url !== null || Object.keys(headers).length === 0, 'headers are for an address')
  .refine(({ url, operations }) => operations.length === 0 || (url !== null && new URL(url).search === ''), {
    message: 'operations are of the service at an address, which has no query',
  })
  .refine(({ operations }) => new Set(operations.map(({ name }) => name)).size === operations.length, {
    message: 'two operations have one name',
  })
  .refine(({ url, kind }) => url === null || kind === 'plain', {
    message: 'only of a tool that runs on this machine can it be told which files it touches',
  });

/** A tool server that an operator registered: the only ones that are ever started or called. */
export interface Tool extends z.infer<typeof registration> {
  /** Hex digest over the program's files: the executable and each argument that is a file. Of an address: of its text. */
  readonly executable: string;
}

export const toolMigrations = [
  {
    id: 'gateway/1',
    up: `
      CREATE TABLE tool (name TEXT PRIMARY KEY, kind TEXT NOT NULL, argv TEXT NOT NULL UNIQUE, env TEXT NOT NULL, executable TEXT NOT NULL) STRICT;
      CREATE TABLE pin (
        server TEXT NOT NULL, tool TEXT NOT NULL, definition TEXT NOT NULL, executable TEXT NOT NULL, seen TEXT NOT NULL,
        PRIMARY KEY (server, tool)
      ) STRICT;
    `,
  },
  { id: 'gateway/f1', up: 'ALTER TABLE tool ADD COLUMN credential TEXT' },
  {
    // Two servers may have one command and differ in what they are given.
    id: 'gateway/w1',
    up: `
      CREATE TABLE tool_w1 (
        name TEXT PRIMARY KEY, kind TEXT NOT NULL, argv TEXT NOT NULL, env TEXT NOT NULL, executable TEXT NOT NULL,
        cwd TEXT, credentials TEXT NOT NULL
      ) STRICT;
      INSERT INTO tool_w1 SELECT name, kind, argv, env, executable, NULL,
        CASE WHEN credential IS NULL THEN '[]' ELSE '[' || credential || ']' END FROM tool;
      DROP TABLE tool;
      ALTER TABLE tool_w1 RENAME TO tool;
    `,
  },
  {
    id: 'gateway/m1',
    up: `ALTER TABLE tool ADD COLUMN url TEXT; ALTER TABLE tool ADD COLUMN headers TEXT NOT NULL DEFAULT '{}'; ALTER TABLE tool ADD COLUMN keys TEXT NOT NULL DEFAULT '[]';`,
  },
  {
    id: 'gateway/h1',
    up: `
      ALTER TABLE tool ADD COLUMN operations TEXT NOT NULL DEFAULT '[]';
      -- which action a caller's own key stands for
      CREATE TABLE keyed_action (
        task TEXT NOT NULL, agent TEXT NOT NULL, key TEXT NOT NULL, asked TEXT NOT NULL, action TEXT NOT NULL UNIQUE,
        PRIMARY KEY (task, agent, key)
      ) STRICT;
      -- open tasks whose agent says that it is done
      CREATE TABLE close_ask (task TEXT PRIMARY KEY, at TEXT NOT NULL) STRICT;
    `,
  },
  {
    id: 'gateway/r1',
    up: 'CREATE TABLE model_key (digest TEXT PRIMARY KEY, task TEXT, created TEXT NOT NULL) STRICT;',
  },
] as const;

/** What the operator allowed to be started, with the digest that its files had then. */
export class ToolRegistry {
  private readonly db: Database;
  /** What the table says; null after a change. Nobody else writes it while this process has the folder. */
  private rows: readonly Tool[] | null = null;
  /** Counts the changes. */
  private changes = 0;

  constructor(db: Database) {
    this.db = db;
  }

  get version(): number {
    return this.changes;
  }

  /** Registers or re-registers a tool server. @throws GatewayError tool */
  add(fields: z.input<typeof registration>): Tool {
    const parsed = registration.safeParse(fields);
    if (!parsed.success) throw new GatewayError('tool', z.prettifyError(parsed.error));
    const { url } = parsed.data;
    const argv = url === null ? [findProgram(parsed.data.argv[0] ?? ''), ...parsed.data.argv.slice(1)] : [];
    const tool = { ...parsed.data, argv, executable: programDigest({ argv, url }) };
    this.db.transaction((tx) => {
      // Whoever may reach an address may reach it after it was registered anew.
      const row = tx.get<{ keys: string }>('SELECT keys FROM tool WHERE name = ? AND url = ?', tool.name, tool.url);
      tx.run('DELETE FROM tool WHERE name = ?', tool.name);
      tx.run(
        'INSERT INTO tool (name, kind, argv, env, executable, cwd, credentials, url, headers, operations, keys) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
        tool.name,
        tool.kind,
        JSON.stringify(argv),
        JSON.stringify(tool.env),
        tool.executable,
        tool.cwd,
        JSON.stringify(tool.credentials),
        tool.url,
        JSON.stringify(tool.headers),
        JSON.stringify(tool.operations),
        row?.keys ?? '[]',
      );
    });
    this.changed();
    return tool;
  }

  list(): readonly Tool[] {
    this.rows ??= this.db
      .all<Readonly<Record<string, unknown>>>(
        'SELECT name, kind, argv, env, executable, cwd, credentials, url, headers, operations FROM tool ORDER BY name',
      )
      .map(fromRow);
    return this.rows;
  }

  /** Names of the tools that are given a credential of this broker. */
  withCredential(broker: string): readonly string[] {
    return this.list()
      .filter(({ credentials }) => credentials.some((one) => one.broker === broker))
      .map(({ name }) => name);
  }

  /** Registers the files that it has now. @throws GatewayError tool-unregistered */
  renew(name: string): Tool {
    const { executable: _, ...fields } = this.known(name);
    return this.add(fields);
  }

  /** Takes a tool server out again. False if there was none. What was pinned of it stays pinned. */
  remove(name: string): boolean {
    const removed = this.db.transaction((tx) => tx.run('DELETE FROM tool WHERE name = ?', name)) > 0;
    this.changed();
    return removed;
  }

  private changed(): void {
    this.rows = null;
    this.changes++;
  }

  /** The tool registered under this name, its files unchanged. @throws GatewayError tool-unregistered, tool-executable */
  named(name: string): Tool {
    return unchanged(this.known(name));
  }

  /**
   * The one tool registered with this command, its files unchanged.
   * @throws GatewayError tool-unregistered (or several are), tool-executable
   */
  match(argv: readonly string[]): Tool {
    const wanted = JSON.stringify([findProgram(argv[0] ?? ''), ...argv.slice(1)]);
    const [tool, ...others] = this.list().filter(
      ({ url, argv: known }) => url === null && JSON.stringify(known) === wanted,
    );
    if (!tool) {
      throw new GatewayError(
        'tool-unregistered',
        `no operator registered this command; type: deed tool add NAME -- ${argv.join(' ')}`,
      );
    }
    if (others.length > 0) {
      const names = [tool, ...others].map(({ name }) => name).join(', ');
      throw new GatewayError('tool-unregistered', `${names} have this command: name one with --server`);
    }
    return unchanged(tool);
  }

  private known(name: string): Tool {
    const tool = this.list().find((one) => one.name === name);
    if (tool) return tool;
    throw new GatewayError(
      'tool-unregistered',
      `no operator registered ${name}; type: deed tool add ${name} -- COMMAND`,
    );
  }
}

/** @throws GatewayError tool-executable */
function unchanged(tool: Tool): Tool {
  if (programDigest(tool) === tool.executable) return tool;
  throw new GatewayError(
    'tool-executable',
    `the files of ${tool.name} changed since it was registered; look at them, then type: deed tool renew ${tool.name}`,
  );
}

function fromRow(row: Readonly<Record<string, unknown>>): Tool {
  const { name, kind, argv, env, executable, cwd, credentials, url, headers, operations } = row;
  const fields = registration.parse({
    ...{ name, kind, cwd, url },
    argv: JSON.parse(String(argv)),
    env: JSON.parse(String(env)),
    credentials: JSON.parse(String(credentials)),
    headers: JSON.parse(String(headers)),
    operations: JSON.parse(String(operations)),
  });
  return { ...fields, executable: String(executable) };
}

function isHttpUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password, hash } = new URL(text);
  return (protocol === 'http:' || protocol === 'https:') && username === '' && password === '' && hash === '';
}

/** What a tool server is, as far as can be told from here: its files, or of one elsewhere no more than its address. */
function programDigest({ argv, url }: Pick<Tool, 'argv' | 'url'>): string {
  return url === null ? executableDigest(argv) : toHex(sha256(utf8(url)));
}

function findProgram(name: string): string {
  if (isAbsolute(name)) return name;
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const candidate = join(folder, name);
    if (isAbsolute(candidate) && isFile(candidate)) return candidate;
  }
  throw new GatewayError('tool', `${JSON.stringify(name)} is not on the server's PATH; give an absolute path`);
}

/** SHA-256 over the lines `<sha256>  <position>` of the executable and of each argument that names a file. */
function executableDigest(argv: readonly string[]): string {
  const lines = argv.flatMap((word, position) => {
    if (!isAbsolute(word) || !isFile(word)) return [];
    const digest = fileDigest(realpathSync(word));
    return [`${digest}  ${position}\n`];
  });
  if (lines.length === 0) throw new GatewayError('tool', `${argv[0]} is not a file`);
  return toHex(sha256(utf8(lines.join(''))));
}

const fileDigests = new Map<string, { readonly state: string; readonly digest: string }>();

/** SHA-256 of a file, remembered while the kernel says that it is the same: inode, size, and times to the nanosecond. */
function fileDigest(path: string): string {
  const { dev, ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
  const state = [dev, ino, size, mtimeNs, ctimeNs].join();
  const known = fileDigests.get(path);
  if (known?.state === state) return known.digest;
  const digest = createHash('sha256').update(readFileSync(path)).digest('hex');
  fileDigests.set(path, { state, digest });
  return digest;
}

function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
