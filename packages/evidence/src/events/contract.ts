import { z } from 'zod';
import type { ActionRecord } from '../action-record.ts';
import { utf8 } from '../encoding.ts';
import { type Json, parseStrictJson } from '../json.ts';
import { parseDocument } from './document.ts';
import { type ExpectedEffect, isEventName, type Pair } from './expected.ts';
import { compile, compileCondition, condition, expression } from './expression.ts';

const dayMs = 86_400_000;

const text = z.string().min(1).max(256);
const names = 'names of what an event has, such as correlation.request, resource.uid or fields.amount';
const isNamed = (all: object) => Object.keys(all).length <= 32 && Object.keys(all).every(isEventName);
const values = z.record(z.string(), expression).refine(isNamed, names);
const seconds = z.number().min(0).max(86_400);
const operations = z.array(text).min(1).max(256);

const effect = z.strictObject({
  /** Tools of the server after whose calls this is expected; `*`: each. */
  tools: z.array(text).min(1).max(256),
  when: condition.optional(),
  /** Sources that would record it: any one of them. */
  sources: z.array(text).min(1).max(16),
  operations,
  count: z
    .strictObject({ min: z.number().int().min(0).max(10_000), max: z.number().int().min(1).max(10_000) })
    .refine(({ min, max }) => min <= max, 'min is at most max')
    .prefault({ min: 1, max: 1 }),
  window: z.strictObject({ before: seconds.default(0), after: seconds.default(60) }).prefault({}),
  /** Ids, the strongest first: the first of which the action knows every value is the key. */
  keys: z.array(values).max(8).default([]),
  same: values.default({}),
  near: z
    .record(z.string(), z.strictObject({ value: expression, tolerance: z.number().min(0) }))
    .refine(isNamed, names)
    .default({}),
});

const form = z.strictObject({
  $schema: z.string().optional(),
  deed: z.literal('effect-contract/v1'),
  /** The registered server whose tools it is about. */
  server: text,
  version: z.string().min(1).max(32),
  effects: z.array(effect).max(256),
  /** What the server's tools leave in a source beside their calls, for instance when they sign in. */
  ambient: z
    .array(z.strictObject({ sources: z.array(text).min(1).max(16), operations }))
    .max(64)
    .default([]),
});

/** What the calls of a server's tools are to leave in the records of other systems (docs/formats/effect-contract.md). */
export type Contract = z.infer<typeof form>;
export const contractForm = form;

/** @throws EvidenceError mapping (not JSON, or not in form: the message says where and what would be), limit */
export function parseContract(bytes: Uint8Array): Contract {
  return parseDocument(bytes, form, 'contract');
}

/** What is known of an action, as the expressions of a contract see it. */
export interface ActionDocument {
  readonly action: string;
  readonly tool: string;
  /** The arguments as JSON. */
  readonly arguments: Json;
  readonly status: string | null;
  /** The answer as JSON, of an MCP call the `result` of its message; null: none, or not JSON. */
  readonly result: Json;
  /** What the gateway itself saw happen. */
  readonly effects: Json;
}

/** The same of the parts of a receipt: bytes that are not JSON stand as null. */
export function actionDocument(of: {
  readonly record: ActionRecord;
  readonly status: string | null;
  readonly result: Uint8Array | null;
  readonly effects: Uint8Array | null;
}): ActionDocument {
  const { action, tool, arguments: text } = of.record;
  return {
    ...{ action, tool, status: of.status },
    arguments: jsonOf(utf8(text)),
    result: answerOf(jsonOf(of.result)),
    effects: jsonOf(of.effects),
  };
}

/** What a JSON-RPC message answers; anything else as it is. */
function answerOf(answer: Json): Json {
  if (answer === null || typeof answer !== 'object' || Array.isArray(answer)) return answer;
  const { jsonrpc, result = null } = answer as { readonly [key: string]: Json };
  return jsonrpc === '2.0' ? result : answer;
}

function jsonOf(bytes: Uint8Array | null): Json {
  if (!bytes) return null;
  try {
    return parseStrictJson(bytes).value;
  } catch {
    return null;
  }
}

/** What a call of a tool is to leave behind. */
export type Expecting = (action: ActionDocument) => readonly ExpectedEffect[];

/** Compiles a contract once. What comes out never throws. */
export function compileContract(contract: Contract): Expecting {
  const rules = contract.effects.map((each) => {
    const isMeant = each.when ? compileCondition(each.when) : () => true;
    const keys = each.keys.map(pairing);
    const same = pairing(each.same);
    const near = Object.entries(each.near).map(([name, { value, tolerance }]) => ({
      take: pairing({ [name]: value }),
      tolerance,
    }));
    return { each, isMeant, keys, same, near };
  });
  return (action) => {
    const document = action as unknown as Json;
    return rules.flatMap(({ each, isMeant, keys, same, near }): ExpectedEffect[] => {
      if (!(each.tools.includes('*') || each.tools.includes(action.tool)) || !isMeant(document)) return [];
      return [
        {
          sources: each.sources,
          operations: each.operations,
          count: each.count,
          window: { beforeMs: each.window.before * 1000, afterMs: Math.min(each.window.after * 1000, dayMs) },
          key:
            keys.map((take) => take(document)).find(({ isWhole, pairs }) => isWhole && pairs.length > 0)?.pairs ?? null,
          same: same(document).pairs,
          near: near.flatMap(({ take, tolerance }) => take(document).pairs.map((pair) => ({ ...pair, tolerance }))),
        },
      ];
    });
  };
}

type Pairing = (document: Json) => { readonly pairs: readonly Pair[]; readonly isWhole: boolean };

/** The values that the action has; `isWhole`: all of them. */
function pairing(from: z.infer<typeof values>): Pairing {
  const takes = Object.entries(from).map(([name, each]) => ({ name, take: compile(each) }));
  return (document) => {
    const pairs = takes.flatMap(({ name, take }): Pair[] => {
      const value = take(document);
      return value === undefined || value === null ? [] : [{ name, value }];
    });
    return { pairs, isWhole: pairs.length === takes.length };
  };
}
