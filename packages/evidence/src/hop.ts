import { z } from 'zod';
import type { Allow } from './allow/allow.ts';
import { isNarrowerAllow } from './allow/narrower.ts';
import { utf8 } from './encoding.ts';
import { EvidenceError } from './errors.ts';
import { idPattern } from './ids.ts';
import { parseStrictJson } from './json.ts';
import { count, maxDepth, sha256Hex, tier, timestamp } from './predicates.ts';

/** How long a hop waits for its acceptance, in seconds. */
export const acceptSeconds = 600;

const sentences = {
  'deed-hop': 'I pass on this part of what I may do, and no more.',
  'deed-hop-accepted': 'I accept to act within this hop, in my own name.',
  'deed-hop-ended': 'I end this hop and everything that was passed on below it.',
} as const;
type HopWordType = keyof typeof sentences;

/** An instance of an agent: its id and the thumbprint of its key. */
const party = z.strictObject({
  agent: z.string().regex(idPattern('agent')),
  jkt: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
});
export type HopParty = z.infer<typeof party>;

const where = { origin: z.string(), task: z.string().regex(idPattern('task')) };
const nonce = z.string().regex(/^[0-9a-f]{32}$/);
const head = <Type extends HopWordType>(type: Type) => ({
  v: z.literal(1),
  type: z.literal(type),
  says: z.literal(sentences[type]),
});

const hop = z.strictObject({
  ...head('deed-hop'),
  ...where,
  delegator: party,
  delegate: party,
  /** SHA-256 of the text of the task token that the delegator holds. */
  token: sha256Hex,
  /** Digest of the hop-accepted by which the delegator holds it; null for the task's own agent. */
  parent: sha256Hex.nullable(),
  /** Name of the payload object of the allowed actions. */
  allow: sha256Hex,
  ceiling: tier,
  /** How many actions the delegate, and whoever it delegates to, may begin. */
  actions: count,
  deadline: timestamp,
  /** How many hops may follow this one. */
  depth: count.max(maxDepth),
  nonce,
});
/** What a delegator signs, under the domain `deed-hop-v1`. */
export type HopWord = z.infer<typeof hop>;

const accepted = z.strictObject({
  ...head('deed-hop-accepted'),
  ...where,
  /** Digest of the hop statement. */
  hop: sha256Hex,
  delegate: party,
  nonce,
});
/** What a delegate signs, under the domain `deed-hop-accepted-v1`. */
export type HopAcceptedWord = z.infer<typeof accepted>;

const ended = z.strictObject({
  ...head('deed-hop-ended'),
  ...where,
  /** Digest of the hop statement. */
  hop: sha256Hex,
  delegator: party,
  nonce,
});
/** What a delegator signs to take back what it passed on, under the domain `deed-hop-ended-v1`. */
export type HopEndedWord = z.infer<typeof ended>;

type Said<Word> = Omit<Word, 'v' | 'type' | 'says'>;

export function encodeHop(fields: Said<HopWord>): Uint8Array {
  const { origin, task, delegator, delegate, token, parent, allow, ceiling, actions, deadline, depth } = fields;
  const passed = { allow, ceiling, actions, deadline, depth, nonce: fields.nonce };
  return encode('deed-hop', { origin, task, delegator, delegate, token, parent, ...passed });
}

export function encodeHopAccepted({ origin, task, hop, delegate, nonce }: Said<HopAcceptedWord>): Uint8Array {
  return encode('deed-hop-accepted', { origin, task, hop, delegate, nonce });
}

export function encodeHopEnded({ origin, task, hop, delegator, nonce }: Said<HopEndedWord>): Uint8Array {
  return encode('deed-hop-ended', { origin, task, hop, delegator, nonce });
}

/** @throws EvidenceError statement, json */
export function parseHop(bytes: Uint8Array): HopWord {
  return parse('hop', hop, bytes);
}

/** @throws EvidenceError statement, json */
export function parseHopAccepted(bytes: Uint8Array): HopAcceptedWord {
  return parse('acceptance of a hop', accepted, bytes);
}

/** @throws EvidenceError statement, json */
export function parseHopEnded(bytes: Uint8Array): HopEndedWord {
  return parse('end of a hop', ended, bytes);
}

/**
 * Whether what is passed on lies within what is held. Counts are the task's own: they bind whoever acts, so a list that is
 * passed on has none, and is held against the rest.
 */
export function isPassableAllow(inner: Allow, outer: Allow): boolean {
  const uncounted = outer.map(({ maxCount: _, ...entry }) => entry);
  return inner.every(({ maxCount }) => maxCount === undefined) && isNarrowerAllow(inner, uncounted);
}

function encode(type: HopWordType, fields: object): Uint8Array {
  return utf8(JSON.stringify({ v: 1, type, says: sentences[type], ...fields }));
}

function parse<T>(what: string, schema: z.ZodType<T>, bytes: Uint8Array): T {
  const parsed = schema.safeParse(parseStrictJson(bytes).value);
  if (!parsed.success) throw new EvidenceError('statement', `${what}: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}
