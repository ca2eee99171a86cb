import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Client } from 'pg';

const run = promisify(execFile);
/** Debian keeps the server's programs off the PATH. */
const debian = '/usr/lib/postgresql';

function binary(name: string): string | undefined {
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : [];
  const folders = [
    ...(process.env.PATH ?? '').split(delimiter),
    ...versions.map((version) => join(debian, version, 'bin')),
  ];
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

/** Null, said aloud, where the machine has no PostgreSQL server. */
export const postgresBinaries = (() => {
  const [initdb, postgres] = [binary('initdb'), binary('postgres')];
  if (initdb && postgres) return { initdb, postgres };
  process.stderr.write('SKIPPED: no PostgreSQL server on this machine (Debian: postgresql); its tests are left out\n');
  return null;
})();

/** Whether the server's extension pgaudit is here. Without it, said aloud. */
export const hasPgaudit = (() => {
  if (!postgresBinaries) return false;
  const share = '/usr/share/postgresql';
  const isHere =
    existsSync(share) && readdirSync(share).some((v) => existsSync(join(share, v, 'extension/pgaudit.control')));
  if (!isHere) process.stderr.write('SKIPPED: no pgaudit on this machine (Debian: postgresql-15-pgaudit)\n');
  return isHere;
})();

async function untilAnswers(port: number): Promise<void> {
  for (let left = 100; ; left--) {
    const client = new Client({ host: '127.0.0.1', port, user: 'super', password: 'super', database: 'postgres' });
    client.on('error', () => {});
    try {
      await client.connect();
      await client.end();
      return;
    } catch (cause) {
      if (left === 0) throw cause;
      await sleep(100);
    }
  }
}

/** A PostgreSQL server of its own, on loopback, that asks every TCP login for its password and logs every statement. */
export class Cluster {
  readonly dir: string;
  readonly port: number;
  private readonly stopServer: () => Promise<void>;

  private constructor(dir: string, port: number, stop: () => Promise<void>) {
    this.dir = dir;
    this.port = port;
    this.stopServer = stop;
  }

  /** @param over settings of the server beside its own */
  static async start(over: Readonly<Record<string, string>> = {}): Promise<Cluster> {
    if (!postgresBinaries) throw new Error('no PostgreSQL server here');
    const dir = mkdtempSync(join(tmpdir(), 'deed-pg-'));
    const port = await freePort();
    // The server refuses to run as root.
    const { uid, gid } = process.getuid?.() === 0 ? nobody() : {};
    const as = uid === undefined ? {} : { uid, gid };
    if (uid !== undefined && gid !== undefined) chownSync(dir, uid, gid);
    chmodSync(dir, 0o700);
    const passwordFile = join(tmpdir(), `${dir.split('/').at(-1)}.pw`);
    writeFileSync(passwordFile, 'super');
    if (uid !== undefined && gid !== undefined) chownSync(passwordFile, uid, gid);
    const data = join(dir, 'data');
    const fresh = ['-D', data, '-U', 'super', '--auth=scram-sha-256', `--pwfile=${passwordFile}`, '-N', '-E', 'UTF8'];
    await run(postgresBinaries.initdb, [...fresh, '--locale=C'], { ...as, cwd: dir });
    rmSync(passwordFile);
    const settings = {
      ...{ listen_addresses: '127.0.0.1', port: String(port), unix_socket_directories: '', fsync: 'off' },
      ...{ log_statement: 'all', log_connections: 'on', log_line_prefix: '%u %d %a | ' },
      ...over,
    };
    const argv = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    const server = spawn(postgresBinaries.postgres, ['-D', data, ...argv], {
      ...as,
      cwd: dir,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const logFile = join(dir, 'log');
    writeFileSync(logFile, '');
    const ready = new Promise<void>((resolve, reject) => {
      server.once('exit', (code) => reject(new Error(`postgres ended with ${code}: ${readFileSync(logFile, 'utf8')}`)));
      server.stderr.on('data', (chunk: Buffer) => {
        writeFileSync(logFile, chunk, { flag: 'a' });
        // With a collector of logs, what follows is said to that one.
        if (/ready to accept connections|redirecting log output/.test(readFileSync(logFile, 'utf8'))) resolve();
      });
    });
    const end = () => server.kill('SIGINT');
    process.once('exit', end);
    await ready;
    await untilAnswers(port);
    return new Cluster(dir, port, async () => {
      process.off('exit', end);
      const ended = once(server, 'exit');
      end(); // a fast shutdown
      await ended;
      rmSync(dir, { recursive: true, force: true });
    });
  }

  /** What the server's own log says up to now, where no collector takes it. */
  log(): string {
    return readFileSync(join(this.dir, 'log'), 'utf8');
  }

  connect(user = 'super', password = user, database = 'postgres'): Promise<Client> {
    const client = new Client({ host: '127.0.0.1', port: this.port, user, password, database });
    client.on('error', () => {});
    return client.connect().then(() => client);
  }

  /** Runs statements as the superuser, or as who is named, and gives the rows of the last. */
  async sql(
    text: string,
    user = 'super',
    password = user,
    database = 'postgres',
  ): Promise<readonly Record<string, unknown>[]> {
    const client = await this.connect(user, password, database);
    try {
      const result: unknown = await client.query(text);
      return (Array.isArray(result) ? result.at(-1) : result).rows;
    } finally {
      await client.end();
    }
  }

  stop(): Promise<void> {
    return this.stopServer();
  }
}

function nobody(): { readonly uid: number; readonly gid: number } {
  const id = (flag: string) => Number(execFileSync('id', [flag, 'nobody']).toString());
  return { uid: id('-u'), gid: id('-g') };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address ? address.port : 0;
}
