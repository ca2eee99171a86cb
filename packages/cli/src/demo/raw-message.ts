import { utf8 } from '@deed/evidence';
import type { Client } from '../client.ts';
import { type AgentIdentity, TaskTokens } from '../shim.ts';

/** A message as it went over the wire, with its token and proof: what somebody who listened would have. */
export interface Overheard {
  readonly header: string;
  readonly line: string;
}

/** Signs one message as the shim would. */
export async function signMessage(client: Client, agent: AgentIdentity, line: string): Promise<Overheard> {
  return { header: await new TaskTokens(client, agent).header(utf8(line)), line };
}

/** Sends a signed message on a connection of its own and gives the first answer line. */
export async function sendMessage(
  client: Client,
  argv: readonly string[],
  task: string,
  { header, line }: Overheard,
): Promise<string> {
  const stream = await client.openMcp({ argv }, task);
  return new Promise((resolve, reject) => {
    let text = '';
    stream.setEncoding('utf8');
    stream.on('data', (chunk: string) => {
      text += chunk;
      const end = text.indexOf('\n');
      if (end < 0) return;
      resolve(text.slice(0, end));
      stream.end();
    });
    stream.once('error', reject);
    stream.once('close', () => reject(new Error('the connection ended without an answer')));
    stream.write(`${header}\n${line}\n`);
  });
}
