import { execFile, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { agentsFolder, ofAgents } from './agents.ts';

/** A network of its own with loopback alone: what runs in it reaches this machine by files and sockets, and nothing beyond. */
const isolated = ['--map-root-user', '--net', 'sh', '-c', 'ip link set lo up && exec "$@"', 'sh'];

const clients = {
  'Claude Code': { script: 'claude-session.mjs', packages: ['@anthropic-ai/claude-code'] },
  Codex: { script: 'codex-session.mjs', packages: ['@openai/codex'] },
} as const;

export type AgentClient = keyof typeof clients;

/** One call that the scripted model makes. */
export interface Step {
  /** The id that the model gives it; one of the model's own without it. */
  readonly id?: string;
  readonly name: string;
  readonly arguments: Readonly<Record<string, unknown>>;
}

/** What this machine lacks for sessions of a client, said loudly; empty if nothing. */
export function lackingFor(client: AgentClient): readonly string[] {
  const lacking = [
    ...[...clients[client].packages, '@copilotkit/aimock'].filter((name) => ofAgents(name) === null),
    ...(spawnSync('unshare', [...isolated, 'true']).status === 0 ? [] : ['a network namespace (unshare, ip)']),
  ];
  if (lacking.length > 0) console.warn(`SKIPPED the tests with ${client}: there is no ${lacking.join(', no ')}`);
  return lacking;
}

/** Runs a program in a network like those of the clients. @returns what it prints */
export async function inItsNetwork(cwd: string, ...command: readonly string[]): Promise<string> {
  return (await promisify(execFile)('unshare', [...isolated, ...command], { cwd })).stdout;
}

export interface SessionOptions {
  /** A folder to keep the client's home and the script in. */
  readonly base: string;
  /** Where the client is started. */
  readonly project: string;
  readonly steps: readonly Step[];
  /** More arguments for the client. */
  readonly args?: readonly string[];
  /** Where the client reaches its model, and where the model is reached; absent: they speak to each other. */
  readonly model?: { readonly inside: string; readonly outside: string; readonly path: string } | undefined;
}

/** A headless session in which the model makes these calls, one after the other. @returns what the client prints */
export async function runSession(client: AgentClient, options: SessionOptions): Promise<string> {
  const { base, project, steps, args = [], model } = options;
  const script = join(mkdtempSync(join(base, 'script-')), 'script.json');
  writeFileSync(script, JSON.stringify({ steps, args, model }));
  const home = join(base, 'home');
  mkdirSync(home, { recursive: true });
  const env = { PATH: process.env.PATH, HOME: home, LANG: 'C.UTF-8' };
  const session = fileURLToPath(new URL(clients[client].script, import.meta.url));
  const command = [...isolated, process.execPath, session, agentsFolder, script];
  const { stdout } = await promisify(execFile)('unshare', command, {
    ...{ cwd: project, env, maxBuffer: 64 * 1024 * 1024 },
  });
  return stdout;
}
