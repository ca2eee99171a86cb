import { createPrivateKey, type KeyObject } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { parseStrictJson } from '@deed/evidence';
import { ServerError } from '@deed/server';
import { replace } from '@deed/store';
import { z } from 'zod';

const schema = z.strictObject({
  v: z.literal(1),
  type: z.literal('deed-agent-key'),
  agent: z.string(),
  spiffe: z.string(),
  origin: z.string(),
  /** PKCS#8. */
  key: z.string(),
  /** Its workload identity token. */
  wit: z.string().optional(),
  /** Where it was enrolled. */
  url: z.string().optional(),
});

/** An agent's instance: who it is at which deployment, and its key. */
export interface AgentKey {
  readonly agent: string;
  readonly spiffe: string;
  readonly origin: string;
  readonly key: KeyObject;
  /** The newest workload identity token. */
  readonly wit?: string | undefined;
  /** Where the server is, if it was enrolled over the network. */
  readonly url?: string | undefined;
}

/** Writes a new file, mode 0600. It fails when the file exists. */
export function writeAgentKey(file: string, key: AgentKey): void {
  writeFileSync(file, contentOf(key), { mode: 0o600, flag: 'wx' });
}

/** Writes an agent's key file anew, with another identity token. */
export function replaceAgentKey(file: string, key: AgentKey): void {
  replace(file, Buffer.from(contentOf(key)), { mode: 0o600 });
}

function contentOf({ agent, spiffe, origin, key, wit, url }: AgentKey): string {
  const pem = key.export({ format: 'pem', type: 'pkcs8' }).toString();
  return `${JSON.stringify({ v: 1, type: 'deed-agent-key', agent, spiffe, origin, key: pem, wit, url }, null, 2)}\n`;
}

/** @throws ServerError request */
export function readAgentKey(file: string): AgentKey {
  try {
    const { agent, spiffe, origin, key, wit, url } = schema.parse(parseStrictJson(readFileSync(file)).value);
    return { agent, spiffe, origin, key: createPrivateKey(key), wit, url };
  } catch (cause) {
    throw new ServerError(
      'request',
      `${file} is no agent key: make one with deed agent enroll --code CODE --key FILE`,
      { cause },
    );
  }
}
