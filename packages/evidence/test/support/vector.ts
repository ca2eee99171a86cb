import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { z } from 'zod';
import { fromBase64, toBase64 } from '../../src/encoding.ts';
import { parseStrictJson } from '../../src/json.ts';
import { type LogProofOptions, verifyLogProof } from '../../src/verify/log-proof.ts';
import { type ReceiptOptions, verifyReceipt } from '../../src/verify/receipt.ts';
import { type Report, type Verdict, verdictCodes } from '../../src/verify/report.ts';
import { verify } from '../../src/verify/verify.ts';

/** One vector, as vectors/README.md describes it. */
export const vectorForm = z.strictObject({
  v: z.literal(1),
  what: z.string().min(1),
  kind: z.enum(['case', 'receipt', 'tlog-proof']),
  file: z.base64(),
  trust: z.string().nullable(),
  nowMs: z.int(),
  artifact: z.base64().optional(),
  leaf: z.base64().optional(),
  statement: z.base64().optional(),
  expected: z.strictObject({
    verdict: z.enum(Object.keys(verdictCodes) as [Verdict, ...Verdict[]]),
    code: z.int(),
    checks: z.array(z.string()),
  }),
});
export type Vector = z.infer<typeof vectorForm>;

/** What a verifier is given: the file, and all that its verdict may depend on. */
export interface Given extends LogProofOptions, ReceiptOptions {
  readonly kind: Vector['kind'];
  readonly file: Uint8Array;
  readonly trust: string | undefined;
  readonly nowMs: number;
}

export const vectorsFolder = resolve(import.meta.dirname, '../../../../vectors');

/** The names of all vectors: `<verdict in lower case>/<what it is>.json`. */
export function vectorNames(): string[] {
  return readdirSync(vectorsFolder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.json'))
    .map((name) => name.replaceAll('\\', '/'))
    .sort();
}

/** @throws if it is not in the one form */
export function readVector(name: string): Vector {
  return vectorForm.parse(parseStrictJson(new Uint8Array(readFileSync(join(vectorsFolder, name)))).value);
}

export function givenIn({ kind, file, trust, nowMs, ...more }: Vector): Given {
  const { artifact, leaf, statement } = more;
  return {
    kind,
    file: new Uint8Array(gunzipSync(fromBase64(file))),
    trust: trust ?? undefined,
    nowMs,
    ...(artifact === undefined ? {} : { artifact: fromBase64(artifact) }),
    ...(leaf === undefined ? {} : { leaf: fromBase64(leaf) }),
    ...(statement === undefined ? {} : { statement: fromBase64(statement) }),
  };
}

export function toVector(what: string, given: Given): Vector {
  const { kind, file, trust, nowMs, artifact, leaf, statement } = given;
  return {
    v: 1,
    what,
    kind,
    file: toBase64(new Uint8Array(gzipSync(file, { level: 9 }))),
    trust: trust ?? null,
    nowMs,
    ...(artifact ? { artifact: toBase64(artifact) } : {}),
    ...(leaf ? { leaf: toBase64(leaf) } : {}),
    ...(statement ? { statement: toBase64(statement) } : {}),
    expected: saidOf(judge(given)),
  };
}

export type Judgement = Pick<Report, 'verdict' | 'code' | 'reasons'>;

/** Verifies what is given as what it is. */
export function judge({ kind, file, ...options }: Given): Judgement {
  if (kind === 'receipt') return verifyReceipt(file, options);
  return kind === 'tlog-proof' ? verifyLogProof(file, options) : verify(file, options);
}

/** Verdict, exit code, and the checks that gave reasons of that verdict. */
export function saidOf({ verdict, code, reasons }: Judgement): Vector['expected'] {
  const checks = new Set(reasons.filter((reason) => reason.verdict === verdict).map(({ check }) => check));
  return { verdict, code, checks: [...checks].sort() };
}

/** What a vector gets that it should not, with its name; nothing if it gets what it says. */
export function wronglySaid(name: string, vector: Vector, said = saidOf(judge(givenIn(vector)))): object[] {
  return JSON.stringify(said) === JSON.stringify(vector.expected) ? [] : [{ name, said, expected: vector.expected }];
}
