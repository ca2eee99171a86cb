import { type ChildProcess, spawn } from 'node:child_process';
import { witnessAddress } from '@deed/ledger';
import { ServerError } from './errors.ts';

/** How long a witness may take to start, in milliseconds. */
const startMs = 15_000;

export interface LocalWitness {
  /** Its address now; it may change when it is started again by somebody else. */
  readonly url: () => string | undefined;
  stop(): Promise<void>;
}

/**
 * Finds the local witness, or starts it as a process of its own. `command` is what starts one: it must print one JSON line
 * `{"url"}` when it listens and end when its input closes.
 * @throws ServerError witness
 */
export async function localWitness(stateFolder: string, command: readonly string[]): Promise<LocalWitness> {
  const url = () => witnessAddress(stateFolder);
  if (await answers(url())) return { url, stop: async () => {} };
  const [program = '', ...args] = command;
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  try {
    await firstLine(child);
  } catch (cause) {
    child.kill('SIGKILL');
    throw new ServerError('witness', `the local witness did not start: ${(cause as Error).message}`, { cause });
  }
  return {
    url,
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.stdin?.end();
      await ended;
    },
  };
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
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`it ended with code ${code}`)));
    child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      const end = text.indexOf('\n');
      if (end < 0) return;
      clearTimeout(timer);
      resolve(text.slice(0, end));
    });
  });
}
