import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import * as cedar from '@cedar-policy/cedar-wasm/nodejs';
import type { Decision } from '@deed/evidence';

export type Engine = Decision['engine'];

let known: Engine | undefined;

/** The engine that decides, named by its exact program: SHA-256 of the wasm file that is loaded. */
export function cedarEngine(): Engine {
  if (!known) {
    const entry = createRequire(import.meta.url).resolve('@cedar-policy/cedar-wasm/nodejs');
    const wasm = readFileSync(join(dirname(entry), 'cedar_wasm_bg.wasm'));
    const sha256 = createHash('sha256').update(wasm).digest('hex');
    known = { name: 'cedar-wasm', version: cedar.getCedarSDKVersion(), sha256 };
  }
  return known;
}
