import { createPrivateKey, type KeyObject } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { parseStrictJson } from '@deed/evidence';
import { ServerError } from '@deed/server';
import { z } from 'zod';

const schema = z.strictObject({
  v: z.literal(1),
  type: z.literal('deed-agent-key'),
  agent: z.string(),
  spiffe: z.string(),
  origin: z.string(),
  /** PKCS#8. */
  key: z.string(),
});

/** An agent's instance: who it is at which deployment, and its key. */
export interface AgentKey {
  readonly agent: string;
  readonly spiffe: string;
  readonly origin: string;
  readonly key: KeyObject;
}

/** Writes a new file, mode 0600. It fails when the file exists. */
export function writeAgentKey(file: string, { agent, spiffe, origin, key }: AgentKey): void {
  const pem = key.export({ format: 'pem', type: 'pkcs8' }).toString();
  const content = { v: 1, type: 'deed-agent-key', agent, spiffe, origin, key: pem };
  writeFileSync(file, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600, flag: 'wx' });
}

/** @throws ServerError request */
export function readAgentKey(file: string): AgentKey {
  try {
    const { agent, spiffe, origin, key } = schema.parse(parseStrictJson(readFileSync(file)).value);
    return { agent, spiffe, origin, key: createPrivateKey(key) };
  } catch (cause) {
    throw new ServerError(
      'request',
      `${file} is no agent key: make one with deed agent enroll --code CODE --key FILE`,
      { cause },
    );
  }
}
