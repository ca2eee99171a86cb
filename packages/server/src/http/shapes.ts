import { maxDepth, sha256Hex, tiers, word } from '@deed/evidence';
import { operation, toolCredential, toolKinds } from '@deed/gateway';
import { z } from 'zod';

/** What the requests of the administration look like. */
const text = z.string().min(1).max(4096);

export const none = z.strictObject({});

export const addTool = z.strictObject({
  name: text,
  kind: z.enum(toolKinds),
  argv: z.array(text).optional(),
  env: z.record(z.string(), z.string()).optional(),
  cwd: text.optional(),
  credentials: z.array(toolCredential).max(64).optional(),
  url: text.optional(),
  headers: z.record(z.string(), z.string()).optional(),
  operations: z.array(operation).optional(),
});
export const mcpKey = z.strictObject({ server: text });
export const acceptTool = z.strictObject({ server: text, tool: text });
export const invite = z.strictObject({
  name: text,
  definition: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .optional(),
  /** The person who answers for it. */
  owner: text.optional(),
});
export const redeem = z.strictObject({ code: text, spki: text, proof: text });
export const reason = z.strictObject({ reason: text });
/** A task as its principal orders it. */
export const ownTask = z.strictObject({
  objective: text,
  agent: text,
  allow: z.array(z.looseObject({ server: text })),
  ceiling: z.enum(tiers).optional(),
  budget: z.number().int().min(1).optional(),
  deadlineSeconds: z.number().int().min(1).optional(),
  depth: z.number().int().min(0).max(maxDepth).optional(),
});
export const openTask = ownTask.extend({
  principal: z.strictObject({ kind: z.enum(['person', 'service', 'unknown']), id: text, authenticated: text }),
});
export const closeTask = z.strictObject({
  reason: z.enum(['principal', 'operator']),
  outputs: z.array(z.strictObject({ name: text, digest: z.record(z.string(), z.string()) })).optional(),
});
export const token = z.strictObject({ assertion: z.string().min(1).max(16_384) });
export const answer = z.strictObject({
  person: text,
  word,
  /** Base64 of the payload object with the arguments that an edit asks for. */
  edited: z.base64().optional(),
});
export const addSource = z.strictObject({
  id: text,
  kind: text,
  config: z.json(),
  watch: z
    .strictObject({ expected: z.array(text).optional(), only: z.array(text).optional(), beside: text.optional() })
    .optional(),
  skewMs: z.number().int().min(0).optional(),
  forge: z.strictObject({ name: text, url: z.url(), adminUrl: z.url(), adminTokenFile: text }).optional(),
});
export const declareContract = z.strictObject({ contract: z.string().min(2) });
export const activate = z.strictObject({ folder: text, word });
export const setTimestamps = z.strictObject({
  url: z.url({ protocol: /^https?$/ }),
  certificate: z.string().min(1).max(16_384),
  everySeconds: z.number().int().min(60).optional(),
});
export const waive = z.strictObject({ days: z.number().int().min(1).max(365) });
const under = z.enum(['witnessed', 'published']).default('witnessed');
export const proof = z.strictObject({ under });
export const consistency = z.strictObject({
  from: z
    .string()
    .regex(/^(0|[1-9][0-9]{0,14})$/)
    .transform(Number),
  under,
});

/** An order to erase: the whole task, or the payloads named. Without `by` the one operator there is. */
export const erase = z.strictObject({
  reason: z.string().min(1).max(512),
  by: text.optional(),
  payloads: z
    .array(z.string().regex(/^[0-9a-f]{64}$/, 'the name of a payload is 64 hex digits'))
    .min(1)
    .max(10_000)
    .optional(),
});
export const erasurePlan = erase.pick({ payloads: true });
export const hold = z.strictObject({ word });
export const retention = z.strictObject({ dryRun: z.boolean(), acceptClock: z.boolean() });

export const offerHop = z.strictObject({
  token: z.string().min(1).max(16_384),
  proof: z.string().min(1).max(16_384),
  word,
  /** Base64 of the payload object of the allowed actions. */
  allow: z.string().min(1).max(100_000),
});
export const acceptHop = z.strictObject({ word });
export const endHop = z.strictObject({ hop: sha256Hex, word: word.nullable() });
export const endHopByWord = z.strictObject({ hop: sha256Hex, word });
/** Which decisions, in the query of a GET: the newest, at the most so many. */
export const decisions = z.strictObject({
  task: text.optional(),
  statement: sha256Hex.optional(),
  last: z.coerce.number().int().min(1).max(10_000),
});
