import {
  DeedError,
  encodeTimestampRequest,
  equalBytes,
  maxTimestampBytes,
  nonceBytes,
  randomBytes,
  sha256,
  type Timestamp,
  timestampNonce,
  utf8,
  verifyTimestamp,
  worstAccuracyMs,
} from '@deed/evidence';
import { LedgerError } from '../errors.ts';

/** A timestamp authority (RFC 3161 over HTTP). */
export interface TimestampEndpoint {
  readonly url: string;
  /** Hex SHA-256 of the one certificate whose stamps are taken. */
  readonly certificate: string;
}

export interface Stamped {
  /** The authority's answer, as it came. */
  readonly response: Uint8Array;
  readonly timestamp: Timestamp;
}

/** How far its clock may be from ours. What is further off would contradict our own statements. */
const graceMs = 60_000;

/**
 * Has a text stamped. Nothing that the authority says is believed before it was verified as a stranger would.
 * @throws LedgerError timestamp: no usable answer, try again later
 */
export async function requestTimestamp(
  { url, certificate }: TimestampEndpoint,
  text: string,
  { clock, signal }: { readonly clock: () => number; readonly signal: AbortSignal },
): Promise<Stamped> {
  const bytes = utf8(text);
  const nonce = timestampNonce(randomBytes(nonceBytes));
  const sentMs = clock();
  const response = await post(url, encodeTimestampRequest(sha256(bytes), nonce), signal);
  try {
    const timestamp = verifyTimestamp(response, bytes);
    const { timeMs, accuracyMs } = timestamp;
    if (timestamp.certificate !== certificate)
      throw failed(url, `signs with the certificate ${timestamp.certificate}, expected ${certificate}`);
    if (!timestamp.checked) throw failed(url, 'signs in a way that cannot be checked here');
    if (!timestamp.nonce || !equalBytes(timestamp.nonce, nonce)) throw failed(url, 'answered another request (nonce)');
    if (accuracyMs > worstAccuracyMs) throw failed(url, `knows the time to ${accuracyMs / 1000} s only`);
    if (timeMs + accuracyMs < sentMs - graceMs || timeMs - accuracyMs > clock() + graceMs)
      throw failed(url, `says it is ${new Date(timeMs).toISOString()}: one of the two clocks is wrong`);
    return { response, timestamp };
  } catch (cause) {
    if (cause instanceof LedgerError || !(cause instanceof DeedError)) throw cause;
    throw failed(url, `sent no usable timestamp: ${cause.message}`, cause);
  }
}

async function post(url: string, request: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
  try {
    const answer = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/timestamp-query', accept: 'application/timestamp-reply' },
      body: new Uint8Array(request),
      redirect: 'error',
      signal,
    });
    const type = answer.headers.get('content-type')?.split(';')[0]?.trim().toLowerCase();
    if (answer.status !== 200 || type !== 'application/timestamp-reply') {
      await answer.body?.cancel();
      throw failed(url, `answered ${answer.status} ${type ?? 'without a content type'}, no timestamp reply`);
    }
    const parts: Uint8Array[] = [];
    let size = 0;
    for await (const part of answer.body ?? []) {
      size += part.length;
      if (size > maxTimestampBytes) throw failed(url, `sent more than ${maxTimestampBytes} bytes`);
      parts.push(part);
    }
    return new Uint8Array(Buffer.concat(parts));
  } catch (cause) {
    if (cause instanceof LedgerError) throw cause;
    throw failed(url, `cannot be reached: ${reasonOf(cause)}`, cause);
  }
}

/** `fetch` says only that it failed; its cause says why. */
function reasonOf(error: unknown): string {
  const { message, cause } = error as Error;
  return cause instanceof Error && cause.message !== '' ? cause.message : message;
}

function failed(url: string, what: string, cause?: unknown): LedgerError {
  return new LedgerError('timestamp', `the timestamp authority at ${url} ${what}`, { cause });
}
