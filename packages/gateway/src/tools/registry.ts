import { createHash } from 'node:crypto';
import { readFileSync, realpathSync, statSync } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';
import { sha256, toHex, utf8 } from '@deed/evidence';
import type { Database } from '@deed/store';
import { z } from 'zod';
import { GatewayError } from '../errors.ts';

export const toolKinds = ['plain', 'filesystem', 'git'] as const;
export type ToolKind = (typeof toolKinds)[number];

const variable = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/);

/** A broker whose credential of the task the tool is given, and which variable holds which part of it; absent: as the broker says. */
export const toolCredential = z.strictObject({
  broker: z.string().min(1).max(63),
  env: z.record(variable, z.string().min(1).max(63)).optional(),
});
export type ToolCredential = z.infer<typeof toolCredential>;

const registration = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9._-]{0,62}$/, 'lower-case letters, digits, ".", "_", "-"'),
  /** What the gateway knows of its arguments: `filesystem` and `git` have their operands resolved. */
  kind: z.enum(toolKinds),
  /** The whole command; the first word absolute or found on the server's PATH. */
  argv: z.array(z.string().min(1).max(4096)).min(1).max(256),
  /** Added to the cleared environment. */
  env: z.record(variable, z.string()),
  credential: toolCredential.nullable(),
});

/** A tool server that an operator registered: the only ones that are ever started. */
export interface Tool extends z.infer<typeof registration> {
  /** Hex digest over the program's files: the executable and each argument that is a file. */
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
] as const;

/** What the operator allowed to be started, with the digest that its files had then. */
export class ToolRegistry {
  private readonly db: Database;
  constructor(db: Database) {
    this.db = db;
  }

  /** Registers or re-registers a tool server. @throws GatewayError tool */
  add(fields: z.infer<typeof registration>): Tool {
    const parsed = registration.safeParse(fields);
    if (!parsed.success) throw new GatewayError('tool', z.prettifyError(parsed.error));
    const argv = [findProgram(parsed.data.argv[0] ?? ''), ...parsed.data.argv.slice(1)];
    const tool = { ...parsed.data, argv, executable: executableDigest(argv) };
    this.db.transaction((tx) => {
      tx.run('DELETE FROM tool WHERE name = ? OR argv = ?', tool.name, JSON.stringify(argv));
      tx.run(
        'INSERT INTO tool (name, kind, argv, env, executable, credential) VALUES (?, ?, ?, ?, ?, ?)',
        tool.name,
        tool.kind,
        JSON.stringify(argv),
        JSON.stringify(tool.env),
        tool.executable,
        tool.credential && JSON.stringify(tool.credential),
      );
    });
    return tool;
  }

  list(): Tool[] {
    return this.db
      .all<Readonly<Record<string, unknown>>>(
        'SELECT name, kind, argv, env, executable, credential FROM tool ORDER BY name',
      )
      .map(fromRow);
  }

  /** Names of the tools that are given a credential of this broker. */
  withCredential(broker: string): readonly string[] {
    return this.list()
      .filter(({ credential }) => credential?.broker === broker)
      .map(({ name }) => name);
  }

  /** The tool registered with this command, its files unchanged. @throws GatewayError tool-unregistered, tool-executable */
  match(argv: readonly string[]): Tool {
    const wanted = JSON.stringify([findProgram(argv[0] ?? ''), ...argv.slice(1)]);
    const tool = this.list().find((known) => JSON.stringify(known.argv) === wanted);
    if (!tool) {
      throw new GatewayError(
        'tool-unregistered',
        `no operator registered this command; type: deed tool add NAME -- ${argv.join(' ')}`,
      );
    }
    if (executableDigest(tool.argv) !== tool.executable) {
      throw new GatewayError(
        'tool-executable',
        `the files of ${tool.name} changed since it was registered; look at them, then type: deed tool add ${tool.name} -- ${argv.join(' ')}`,
      );
    }
    return tool;
  }
}

function fromRow(row: Readonly<Record<string, unknown>>): Tool {
  const { kind, argv, env, credential } = row;
  return registration.extend({ executable: z.string() }).parse({
    name: row.name,
    kind,
    argv: JSON.parse(String(argv)),
    env: JSON.parse(String(env)),
    executable: row.executable,
    credential: credential === null ? null : JSON.parse(String(credential)),
  });
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
