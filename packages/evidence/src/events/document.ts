import { z } from 'zod';
import { EvidenceError } from '../errors.ts';
import { type Json, parseStrictJson } from '../json.ts';

/** Bytes of a mapping or a contract. */
export const maxDocumentBytes = 256 * 1024;

/** Reads a document that people write. @throws EvidenceError mapping (the message says where, and what would be), limit */
export function parseDocument<T>(bytes: Uint8Array, form: z.ZodType<T>, what: string): T {
  if (bytes.length > maxDocumentBytes)
    throw new EvidenceError('limit', `a ${what} has at most ${maxDocumentBytes} bytes`);
  let value: Json;
  try {
    value = parseStrictJson(bytes).value;
  } catch (cause) {
    throw new EvidenceError('mapping', `the ${what} is no JSON: ${(cause as Error).message}`, { cause });
  }
  const parsed = form.safeParse(value);
  if (!parsed.success) throw new EvidenceError('mapping', `${what}: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}
