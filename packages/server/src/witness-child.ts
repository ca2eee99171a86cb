import { type ChildProcess, spawn } from 'node:child_process';
import { witnessAddress } from '@deed/ledger';
import { ServerError } from './errors.ts';

/** How long a witness may take to start, in milliseconds. */
const startMs = 15_000;
const firstPauseMs = 500;
const longestPauseMs = 30_000;
/** Who ran for so long did start well. */
const goodRunMs = 60_000;

export interface LocalWitness {
  /** Its address now; it may change when it is started again. */
  readonly url: () => string | undefined;
  stop(): Promise<void>;
}

/**
 * Finds the local witness, or starts it as a process of its own and again when it dies. `command` is what starts one: it must
 * print one line when it listens and end when its input closes.
 * @throws ServerError witness
 */
export async function localWitness(stateFolder: string, command: readonly string[]): Promise<LocalWitness> {
  const url = () => witnessAddress(stateFolder);
  if (await answers(url())) return { url, stop: async () => {} };
  const keeper = new Keeper(command);
  try {
    await keeper.started();
  } catch (cause) {
    await keeper.stop();
    throw new ServerError('witness', `the local witness did not start: ${(cause as Error).message}`, { cause });
  }
  return { url, stop: () => keeper.stop() };
}

/** Keeps one process running, with growing pauses when it dies at once. */
class Keeper {
  private readonly command: readonly string[];
  private child: ChildProcess;
  private timer: NodeJS.Timeout | undefined;
  private pauseMs = firstPauseMs;
  private stopped = false;

  constructor(command: readonly string[]) {
    this.command = command;
    this.child = this.start();
  }

  started(): Promise<string> {
    return firstLine(this.child);
  }

  async stop(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    const { child } = this;
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.stdin?.end();
    const timer = setTimeout(() => child.kill('SIGKILL'), startMs);
    await ended;
    clearTimeout(timer);
  }

  private start(): ChildProcess {
    const [program = '', ...args] = this.command;
    const begunMs = performance.now();
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    child.on('error', () => {}); // `started` and the next asking of the witness say so
    child.stdin?.on('error', () => {});
    child.once('exit', (code, signal) => {
      if (this.stopped) return;
      if (performance.now() - begunMs > goodRunMs) this.pauseMs = firstPauseMs;
      process.stderr.write(`deed: the local witness ended (${signal ?? `code ${code}`}); it is started again\n`);
      this.timer = setTimeout(() => {
        this.child = this.start();
        this.child.stdout?.resume();
      }, this.pauseMs);
      this.timer.unref();
      this.pauseMs = Math.min(longestPauseMs, this.pauseMs * 2);
    });
    return child;
  }
}

/** Any answer at all, of whatever status, says that a witness is there. */
async function answers(url: string | undefined): Promise<boolean> {
  if (url === undefined) return false;
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(1_000) });
    await response.body?.cancel();
    return true;
  } catch {
    return false;
  }
}

function firstLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`it said nothing for ${startMs} ms`)), startMs);
    let text = '';
    const fail = (error: Error) => {
      clearTimeout(timer);
      reject(error);
    };
    child.once('error', fail);
    child.once('exit', (code) => fail(new Error(`it ended with code ${code}`)));
    child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      const end = text.indexOf('\n');
      if (end < 0) return;
      clearTimeout(timer);
      resolve(text.slice(0, end));
    });
  });
}
