import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { origin, type World } from '../world.ts';
import type { AppenderConfig, AppenderLine } from './appender.ts';
import type { History } from './history.ts';

const program = fileURLToPath(new URL('./appender.ts', import.meta.url));
let count = 0;

/** An {@link AppenderConfig} process of a world. What it says is learnt by a history. */
export class Appender {
  readonly child: ChildProcessWithoutNullStreams;
  /** Resolves when the process has ended and all it said was read. */
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  stderr = '';
  acknowledged = 0;
  private readonly conditions = new Set<{ readonly isMet: () => boolean; readonly met: () => void }>();
  private readonly waiters = new Map<string, PromiseWithResolvers<void>>();

  constructor(
    world: World,
    history: History,
    config: Pick<AppenderConfig, 'writers'> & Partial<AppenderConfig>,
    options: {
      readonly onLine?: (line: AppenderLine, appender: Appender) => void;
      /** Put before the command: `prlimit --fsize=…`. */
      readonly through?: readonly string[];
    } = {},
  ) {
    const { pems, signerPem, folder } = world;
    const file = join(world.root, `appender-${count++}.json`);
    writeFileSync(file, JSON.stringify({ origin, pems, signerPem, folder, ...config }));
    const [command = '', ...rest] = [
      ...(options.through ?? []),
      process.execPath,
      '--conditions=deed-source',
      program,
      file,
    ];
    const env = { ...process.env, NODE_COMPILE_CACHE: join(world.root, 'compiled') };
    const child = spawn(command, rest, { env });
    this.child = child;
    child.stderr.on('data', (text) => {
      this.stderr += text;
    });
    child.stdin.on('error', () => undefined);
    const exited = once(child, 'exit');
    this.ended = (async () => {
      // Lines printed before a kill may still lie in the pipe: they were promised too.
      for await (const text of createInterface(child.stdout)) this.learn(text, history, options.onLine);
      const [code, signal] = await exited;
      for (const { reject } of this.waiters.values()) reject(new Error(`the appender ended: ${this.stderr}`));
      return { code, signal };
    })();
  }

  private learn(text: string, history: History, onLine?: (line: AppenderLine, appender: Appender) => void): void {
    if (!text.endsWith('}')) return; // cut by the kill
    const line: AppenderLine = JSON.parse(text);
    if (line.kind === 'acknowledged') {
      this.acknowledged++;
      history.acknowledge(line.index, line.digest);
    } else if (line.kind === 'signed') history.signed(line.text);
    else if (line.kind === 'published') history.shown(line.note);
    this.waiter(line.kind).resolve();
    for (const condition of this.conditions) {
      if (!condition.isMet()) continue;
      this.conditions.delete(condition);
      condition.met();
    }
    onLine?.(line, this);
  }

  /** When it has said its first line of this kind. */
  said(kind: AppenderLine['kind']): Promise<void> {
    return this.waiter(kind).promise;
  }

  /** When a condition holds after one of its lines. @throws Error if it ends before */
  until(isMet: () => boolean): Promise<void> {
    const met = new Promise<void>((resolve) => {
      this.conditions.add({ isMet, met: resolve });
    });
    const failed = this.ended.then(() => {
      if (!isMet()) throw new Error(`the appender ended: ${this.stderr}`);
    });
    return Promise.race([met, failed]);
  }

  go(): void {
    this.child.stdin.write('go\n');
  }

  private waiter(kind: string): PromiseWithResolvers<void> {
    let waiter = this.waiters.get(kind);
    if (!waiter) {
      waiter = Promise.withResolvers();
      waiter.promise.catch(() => undefined);
      this.waiters.set(kind, waiter);
    }
    return waiter;
  }
}
