import { z } from 'zod';
import { parseStrictJson } from './json.ts';

const objectId = z.string().regex(/^[0-9a-f]{40}([0-9a-f]{24})?$/);
const pushRecord = z.object({
  requestId: z.string().nullable(),
  user: z.string().nullable(),
  repository: z.string(),
  ref: z.string(),
  old: objectId,
  new: objectId,
});
/** One updated ref, as the forge's receiving hook wrote it (docs/formats/events.md). */
export type PushRecord = z.infer<typeof pushRecord>;

/** Reads a raw event as a push, or null if it is another kind of record. @throws EvidenceError json, encoding */
export function readPushRecord(raw: Uint8Array): PushRecord | null {
  const parsed = pushRecord.safeParse(parseStrictJson(raw).value);
  return parsed.success ? parsed.data : null;
}
