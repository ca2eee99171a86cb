import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { makePlace } from './place.ts';
import { inTurns, type Way } from './rounds.ts';

const echo = [process.execPath, fileURLToPath(new URL('echo.mjs', import.meta.url))];
const text = 'x'.repeat(64);

/** A client of a server that is started: one call at a time. */
export class Pipe {
  private readonly child;
  private next = 0;
  private answered: (line: string) => void = () => {};

  constructor(argv: readonly string[]) {
    const [command = '', ...args] = argv;
    this.child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    createInterface({ input: this.child.stdout }).on('line', (line) => this.answered(line));
  }

  async call(tool: string): Promise<void> {
    const id = ++this.next;
    const answer = new Promise<string>((resolve) => {
      this.answered = resolve;
    });
    const params = { name: tool, arguments: { text } };
    this.child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params })}\n`);
    const got = JSON.parse(await answer);
    if (got.id !== id || got.result?.isError !== undefined || got.result?.content[0].text !== text)
      throw new Error(JSON.stringify(got));
  }

  end(): void {
    this.child.stdin.end();
  }
}

/**
 * A tool server over stdio: directly, and behind Deed at each tier that does not wait for people. Behind Deed are the pipe (token and proof
 * for each message), policy, and from tier record on a durable intent and a durable outcome.
 */
export async function stdio(): Promise<readonly (readonly string[])[]> {
  const place = await makePlace();
  await place.client.post('/v1/tools', { name: 'echo', kind: 'plain', argv: echo, env: {} });
  const { task, flags } = await place.worker('echo');
  const [direct, anybody, other, agent] = [
    new Pipe(echo),
    new Pipe(place.shim('echo', [])),
    new Pipe(place.shim('echo', [])),
    new Pipe(place.shim('echo', flags)),
  ];
  const ways: readonly Way[] = [
    { name: 'direct', call: () => direct.call('record_echo') },
    { name: 'Deed, tier observe, enrolled agent', call: () => agent.call('observe_echo') },
    { name: 'Deed, tier observe, nobody in particular', call: () => other.call('observe_echo') },
    { name: 'Deed, tier record, enrolled agent', call: () => agent.call('record_echo') },
    { name: 'Deed, tier record, nobody in particular', call: () => anybody.call('record_echo') },
    { name: 'Deed, tier attest, enrolled agent', call: () => agent.call('attest_echo') },
  ];
  try {
    const rows = await inTurns(ways);
    await place.client.post(`/v1/tasks/${task}/close`, { reason: 'operator' });
    return rows;
  } finally {
    for (const pipe of [direct, anybody, other, agent]) pipe.end();
    await place.end();
  }
}
