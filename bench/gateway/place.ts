import { type ChildProcess, spawn } from 'node:child_process';
import { sign } from 'node:crypto';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { defaultPolicyFolder } from '../../packages/authority/src/policy/default.ts';
import { writeAgentKey } from '../../packages/cli/src/agent-key.ts';
import { Client } from '../../packages/cli/src/client.ts';
import { enrolmentChallenge, initServer, newP256, spkiOf } from '../../packages/server/src/index.ts';

const bin = fileURLToPath(new URL('../../bin/deed.mjs', import.meta.url));

/** A deployment served by a process of its own, as users have it. */
export interface Place {
  readonly client: Client;
  /** Where it listens. */
  readonly url: string;
  readonly folder: string;
  /** Of the server. */
  readonly pid: number;
  /** An enrolled agent's open task, and the arguments by which `deed mcp run` acts in it. */
  worker(server: string): Promise<{ readonly task: string; readonly flags: readonly string[] }>;
  /** The command line of `deed mcp run`. */
  shim(server: string, flags: readonly string[]): readonly string[];
  end(): Promise<void>;
}

/** In the place of the default rules for calls: the first part of a tool's name is its tier. */
const rules = ['observe', 'record', 'attest']
  .map(
    (tier) => `@id("bench-${tier}")
@tier("${tier}")
permit (principal, action == Deed::Action::"call", resource) when { resource.name like "${tier}_*" };
`,
  )
  .join('\n');

export async function makePlace(): Promise<Place> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'deed-bench-')));
  const data = join(folder, 'data');
  process.env.XDG_RUNTIME_DIR = join(folder, 'run');
  mkdirSync(process.env.XDG_RUNTIME_DIR, { mode: 0o700 });
  const policyFolder = join(folder, 'policy');
  cpSync(defaultPolicyFolder, policyFolder, { recursive: true });
  writeFileSync(join(policyFolder, 'calls.cedar'), rules);
  const made = await initServer({
    dir: data,
    passphrase: 'bench',
    rootFile: join(folder, 'root.json'),
    personFile: join(folder, 'person.json'),
    witnessFolder: join(folder, 'witness'),
    policyFolder,
  });
  const child = spawn(process.execPath, [bin, 'up', '--data', data, '--listen', '127.0.0.1:0', '--json'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const url = await listening(child);
  const client = new Client(data);
  return {
    client,
    url,
    folder,
    pid: child.pid ?? 0,
    async worker(server) {
      const { code, origin } = await client.post<{ code: string; origin: string }>('/v1/agents/invite', {
        name: 'bench',
      });
      const key = newP256();
      const spki = spkiOf(key);
      const fields = {
        code,
        spki: base64(spki),
        proof: base64(sign('sha256', enrolmentChallenge(origin, code, spki), key)),
      };
      const agent = await client.post<{ id: string; spiffe: string }>('/v1/agents/redeem', fields);
      const { task } = await client.post<{ task: string }>('/v1/tasks', {
        objective: 'bench',
        agent: agent.id,
        principal: { kind: 'person', id: made.person, authenticated: 'a bench' },
        allow: [{ server }],
        ceiling: 'approve',
        budget: 1_000_000,
      });
      const file = join(folder, `${task}.json`);
      writeAgentKey(file, { agent: agent.id, spiffe: agent.spiffe, origin, key });
      return { task, flags: ['--task', task, '--key', file] };
    },
    shim: (server, flags) => [process.execPath, bin, 'mcp', 'run', '--data', data, '--server', server, ...flags],
    async end() {
      child.kill('SIGINT');
      if (child.exitCode === null) await once(child, 'exit');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** What a server says when it listens, with its address. */
async function listening(child: ChildProcess): Promise<string> {
  if (!child.stdout) throw new Error('nothing to read');
  for await (const line of createInterface({ input: child.stdout })) {
    const url = /http:\/\/127\.0\.0\.1:\d+/.exec(line)?.[0];
    if (url) return url;
  }
  throw new Error('the server did not start');
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}
