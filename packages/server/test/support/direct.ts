import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

export interface Direct {
  readonly lines: readonly string[];
  send(line: string): void;
  /** Sends a request under an id of its own and gives the raw answer line. */
  request(method: string, params: unknown): Promise<string>;
  /** The next line. */
  line(): Promise<string>;
  end(): Promise<void>;
}

/** A tool server without Deed between: what the other tests are compared with. */
export function startDirectly(argv: readonly string[], env: Readonly<Record<string, string>> = {}): Direct {
  const [program = '', ...args] = argv;
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'ignore'], env: { PATH: process.env.PATH, ...env } });
  const reader = createInterface({ input: child.stdout });
  const lines: string[] = [];
  reader.on('line', (line) => lines.push(line));
  let id = 0;
  const line = async () => String((await once(reader, 'line'))[0]);
  const send = (text: string) => void child.stdin.write(`${text}\n`);
  return {
    lines,
    send,
    line,
    async request(method, params) {
      const answered = line();
      send(JSON.stringify({ jsonrpc: '2.0', id: ++id, method, params }));
      return answered;
    },
    async end() {
      const ended = once(child, 'close');
      child.stdin.end();
      await ended;
    },
  };
}
