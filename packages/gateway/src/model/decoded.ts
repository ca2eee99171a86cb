import { brotliDecompressSync, gunzipSync, inflateSync, zstdDecompressSync } from 'node:zlib';
import type { Header } from './headers.ts';

const decoders: Readonly<Record<string, (bytes: Uint8Array, options: { maxOutputLength: number }) => Uint8Array>> = {
  gzip: gunzipSync,
  'x-gzip': gunzipSync,
  deflate: inflateSync,
  br: brotliDecompressSync,
  zstd: zstdDecompressSync,
};

/** The bytes without their content coding; undefined where nobody here takes it off, or they would be longer than that. */
export function decoded(
  bytes: Uint8Array,
  headers: readonly Header[],
  maxOutputLength: number,
): { readonly bytes: Uint8Array; readonly changed: boolean } | undefined {
  const codings = headers
    .filter(({ name }) => name.toLowerCase() === 'content-encoding')
    .flatMap(({ value }) => value.split(',').map((coding) => coding.trim().toLowerCase()))
    .filter((coding) => coding !== '' && coding !== 'identity');
  let now = bytes;
  for (const coding of codings.reverse()) {
    const decode = decoders[coding];
    if (!decode) return undefined;
    try {
      now = decode(now, { maxOutputLength });
    } catch {
      return undefined; // it broke off, or is no such coding
    }
  }
  return { bytes: now, changed: codings.length > 0 };
}
