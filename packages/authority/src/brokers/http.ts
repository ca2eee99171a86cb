import { AuthorityError } from '../errors.ts';

const timeoutMs = 10_000;
const maxAnswerBytes = 256 * 1024;

export interface TargetAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/**
 * One request to a target's administration: bounded in time and size, and a redirect is not followed, since what is sent is secret.
 * @throws AuthorityError broker (no answer, or too large a one)
 */
export async function ask(url: string, init: Omit<RequestInit, 'redirect' | 'signal'>): Promise<TargetAnswer> {
  const { origin } = new URL(url);
  try {
    const response = await fetch(url, { ...init, redirect: 'manual', signal: AbortSignal.timeout(timeoutMs) });
    const parts: Uint8Array[] = [];
    let size = 0;
    for await (const part of response.body ?? []) {
      size += part.length;
      if (size > maxAnswerBytes) throw new AuthorityError('broker', `${origin} answered with too much`);
      parts.push(part);
    }
    return { status: response.status, headers: response.headers, text: Buffer.concat(parts).toString('utf8') };
  } catch (cause) {
    if (cause instanceof AuthorityError) throw cause;
    throw new AuthorityError('broker', `${origin} did not answer`, { cause });
  }
}
