import { createPrivateKey, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { DeedSdkError } from './errors.ts';

/** An enrolled agent, as it speaks for itself. */
export interface AgentIdentity {
  /** `agt_…` */
  readonly agent: string;
  readonly spiffe: string;
  /** Of the log: what its tokens are for. */
  readonly origin: string;
  /** P-256. */
  readonly key: KeyObject;
}

/** Reads the file that `deed agent enroll` wrote. @throws DeedSdkError */
export function readAgentKey(file: string): AgentIdentity {
  try {
    const { agent, spiffe, origin, key } = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
    if (
      typeof agent === 'string' &&
      typeof spiffe === 'string' &&
      typeof origin === 'string' &&
      typeof key === 'string'
    )
      return { agent, spiffe, origin, key: createPrivateKey(key) };
  } catch (cause) {
    throw new DeedSdkError(`${file} is no key file of an agent: ${(cause as Error).message}`, { cause });
  }
  throw new DeedSdkError(`${file} is no key file of an agent: it has no agent, spiffe, origin and key`);
}
