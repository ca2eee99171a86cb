import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** A forge running as a process of its own, and its admin interface. */
export interface RunningForge {
  /** Ends in "/". */
  readonly url: string;
  /** Bearer token of its administration. */
  readonly admin: string;
  readonly pid: number;
  createRepository(name: string): Promise<void>;
  putCredential(id: string, secret: string, repositories: readonly string[]): Promise<void>;
  revokeCredential(id: string): Promise<void>;
  /** Ends it (SIGTERM unless told otherwise) and waits for its end. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

/** Starts the forge on `dir`; it ends with this process. Rejects when it does not come up. */
export async function startForge(dir: string): Promise<RunningForge> {
  const main = fileURLToPath(new URL('forge.ts', import.meta.url));
  const child = spawn(process.execPath, [main, '--dir', dir, '--with-parent'], { stdio: ['pipe', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  const first = await Promise.race([once(createInterface(child.stdout), 'line'), exited]);
  if (child.exitCode !== null || child.pid === undefined) throw new Error('the forge did not start');
  const { url, admin } = JSON.parse(String(first[0])) as { readonly url: string; readonly admin: string };

  async function ask(method: string, path: string, body?: unknown): Promise<void> {
    const response = await fetch(`${url}admin/${path}`, {
      method,
      headers: { authorization: `Bearer ${admin}` },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`forge: ${method} ${path}: ${response.status} ${text.trim()}`);
  }
  return {
    url,
    admin,
    pid: child.pid,
    createRepository: (name) => ask('POST', 'repositories', { name }),
    putCredential: (id, secret, repositories) =>
      ask('PUT', `credentials/${id}`, { sha256: createHash('sha256').update(secret).digest('hex'), repositories }),
    revokeCredential: (id) => ask('DELETE', `credentials/${id}`),
    async stop(signal = 'SIGTERM') {
      child.kill(signal);
      await exited;
    },
  };
}
