import {
  cutRequest,
  type ExchangeBody,
  encodeExchange,
  exchangeType,
  type PayloadRef,
  pieceType,
} from '@deed/evidence';
import type { Captured } from './captured.ts';
import { decoded } from './decoded.ts';
import type { Header } from './headers.ts';
import type { Exchange } from './relay.ts';

/** Longest body that is kept, in bytes, without its content coding. */
export const maxBodyBytes = 16 * 1024 * 1024;

/** What a record holds of a header and of a target, and how many headers. */
const maxText = 8192;
const maxHeaders = 64;

type Stage = (bytes: Uint8Array, type: string) => PayloadRef;

/**
 * Puts what passed into a vault: its bodies by pieces, of which equal ones meet, and the exchange that lists them. Returns the name of the
 * exchange.
 */
export function keepExchange(provider: string, exchange: Exchange, stage: Stage): PayloadRef {
  const { method, target, end, beganMs, endedMs, status } = exchange;
  const { requestHeaders, request, responseHeaders, response } = exchange;
  const record = {
    v: 1 as const,
    ...{ provider, method: method.slice(0, 32), target: target.slice(0, maxText) },
    began: new Date(beganMs).toISOString(),
    ended: new Date(endedMs).toISOString(),
    end,
    request: { headers: keepHeaders(requestHeaders), body: keepBody(request, requestHeaders, cutRequest, stage) },
    response:
      status === undefined
        ? null
        : {
            status,
            headers: keepHeaders(responseHeaders),
            body: keepBody(response, responseHeaders, (all) => [all], stage),
          },
  };
  return stage(encodeExchange(record), exchangeType);
}

/** What is longer than a record holds is cut: it is no reason to refuse the call. */
function keepHeaders(headers: readonly Header[]): Header[] {
  return headers.slice(0, maxHeaders).map(({ name, value }) => ({ name, value: value.slice(0, maxText) }));
}

function keepBody(
  { sizeBytes, sha256, bytes }: Captured,
  headers: readonly Header[],
  cut: (bytes: Uint8Array) => readonly Uint8Array[],
  stage: Stage,
): ExchangeBody {
  const wire = { size: sizeBytes, sha256 };
  if (!bytes) return { wire, decoded: false, pieces: null };
  const plain = decoded(bytes, headers, maxBodyBytes) ?? { bytes, changed: false };
  const pieces = cut(plain.bytes)
    .filter((piece) => piece.length > 0)
    .map((piece) => stage(piece, pieceType))
    .map(({ sha256: name, size }) => ({ sha256: name, size }));
  return { wire, decoded: plain.changed, pieces };
}
