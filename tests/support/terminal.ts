import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Where } from './processes.ts';

/** How long after a Ctrl-C the next one is tried, in milliseconds. */
const againMs = 10_000;

/** A bash into which commands are typed one after the other; it keeps its folder and its variables. */
export class Terminal {
  private readonly shell: ChildProcessWithoutNullStreams;
  private readonly folder: string;
  private readonly mark = `--${crypto.randomUUID()}--`;
  private readonly told: (text: string) => void;
  private text = '';
  private typed = 0;

  /** @param folder where it puts what is typed @param told hears all output as it comes */
  constructor(folder: string, { cwd, env }: Where, told: (text: string) => void) {
    this.folder = folder;
    this.told = told;
    // A group of its own, so that Ctrl-C reaches what runs in it, as at a terminal.
    this.shell = spawn('bash', ['--noprofile', '--norc'], { cwd, env, detached: true });
    this.shell.stdin.write('exec 2>&1; shopt -s expand_aliases; trap : INT\n');
    for (const stream of [this.shell.stdout, this.shell.stderr]) {
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        this.text += chunk;
        this.told(chunk);
      });
    }
  }

  /** The output of the command typed last. */
  get output(): string {
    return this.text.split(this.mark)[0] ?? '';
  }

  /** The exit code of the command typed last; null while it runs. */
  get code(): number | null {
    const code = new RegExp(`${this.mark}(\\d+)\\n`).exec(this.text)?.[1];
    return code === undefined ? null : Number(code);
  }

  get busy(): boolean {
    return this.typed > 0 && this.code === null;
  }

  type(command: string): void {
    const file = join(this.folder, `typed-${this.typed++}.sh`);
    writeFileSync(file, `${command}\n`);
    this.text = '';
    this.shell.stdin.write(`source '${file}' </dev/null; echo "${this.mark}$?"\n`);
  }

  /** Resolves when `seen` holds, tried at each output. @throws Error when it does not within the limit, or the shell ends */
  async until(seen: () => boolean, limitMs: number): Promise<void> {
    if (seen()) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const look = () => seen() && resolve();
    const ended = () => reject(new Error('the shell ended'));
    const timer = setTimeout(() => reject(new Error(`not within ${limitMs} ms`)), limitMs);
    this.shell.stdout.on('data', look);
    this.shell.once('exit', ended);
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      this.shell.stdout.off('data', look);
      this.shell.off('exit', ended);
    }
  }

  /** What Ctrl-C does, until it has ended or the limit is over: every process of the terminal is told to end. */
  async interrupt(limitMs: number): Promise<void> {
    for (const limit = Date.now() + limitMs; this.busy && Date.now() < limit; ) {
      this.signal('SIGINT');
      // Told again now and then: a process that is just being made may not have heard it.
      await this.until(() => !this.busy, againMs).catch(() => undefined);
    }
  }

  private signal(name: NodeJS.Signals): void {
    if (this.shell.pid !== undefined) process.kill(-this.shell.pid, name);
  }

  /** Ends the shell; what runs in it does not outlive it. */
  async close(): Promise<void> {
    const ended = once(this.shell, 'exit');
    if (this.busy) this.signal('SIGKILL');
    else this.shell.stdin.end('exit\n');
    await ended;
  }
}
