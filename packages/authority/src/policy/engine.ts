import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { compileFunction } from 'node:vm';
import * as installedCedar from '@cedar-policy/cedar-wasm/nodejs';
import { type Decision, fromUtf8, sha256, toHex } from '@deed/evidence';
import { createNew, makeFolder } from '@deed/store';
import { AuthorityError } from '../errors.ts';

export type Engine = Decision['engine'];
export type Cedar = typeof installedCedar;

/** The two files of an engine: the wasm program, which decisions name by its SHA-256, and the script that calls it. */
export interface EngineFiles {
  readonly wasm: Uint8Array;
  readonly script: Uint8Array;
}

const wasmFile = 'cedar_wasm_bg.wasm';
/** Not `.js`: what that means depends on the folders above. */
const scriptFile = 'cedar_wasm.cjs';

/**
 * Every engine that a release of Deed decided with: SHA-256 of its wasm, and of the script of the same package. A row is added
 * with each upgrade, and none is taken away. What runs is code, so it is known from here and not from the folder it lies in.
 */
const knownEngines: ReadonlyMap<string, { readonly version: string; readonly script: string }> = new Map([
  [
    '9ed10461f45bceabbe2c364330500378b71f641b28f7c2a1f6e033c9be2f1d9a',
    { version: '4.13.0', script: '7808460d02f921221ea86931f36b94959a2260243e49635a61ad731f4b5088bc' },
  ],
]);

let known: { readonly engine: Engine; readonly files: EngineFiles } | undefined;

function installed() {
  if (!known) {
    const folder = dirname(createRequire(import.meta.url).resolve('@cedar-policy/cedar-wasm/nodejs'));
    const files = {
      wasm: readFileSync(join(folder, wasmFile)),
      script: readFileSync(join(folder, 'cedar_wasm.js')),
    };
    const digest = toHex(sha256(files.wasm));
    known = { engine: { name: 'cedar-wasm', version: installedCedar.getCedarSDKVersion(), sha256: digest }, files };
  }
  return known;
}

/** The engine that decides, named by its exact program: SHA-256 of the wasm file that is loaded. */
export function cedarEngine(): Engine {
  return installed().engine;
}

/** Where the engines of a deployment are archived. */
export const engineFolder = (dir: string): string => join(dir, 'policy', 'engines');

/** Keeps the engine that decides, for as long as a decision may have to be made again: DIR/policy/engines/<sha256>/. */
export function archiveEngine(dir: string): void {
  const { engine, files } = installed();
  const folder = join(engineFolder(dir), engine.sha256);
  makeFolder(folder);
  for (const [name, bytes] of [
    [wasmFile, files.wasm],
    [scriptFile, files.script],
  ] as const) {
    if (!existsSync(join(folder, name))) createNew(join(folder, name), bytes);
  }
}

/**
 * The files of an engine that a decision names: the installed one, or from the archive of a deployment.
 * @param dir a data folder, or null if there is none at hand
 * @throws AuthorityError engine (not known, not archived, or changed)
 */
export function engineFiles(digest: string, dir: string | null): EngineFiles {
  if (digest === cedarEngine().sha256) return checked(digest, installed().files);
  const folder = dir === null ? null : join(engineFolder(dir), digest);
  if (!knownEngines.has(digest)) {
    throw new AuthorityError('engine', `no engine ${digest} is known: decided by a newer Deed, or by another program`);
  }
  if (folder === null || !existsSync(folder)) {
    throw new AuthorityError('engine', `engine ${digest} is not here: name the data folder that decided, with --data`);
  }
  return checked(digest, {
    wasm: readFileSync(join(folder, wasmFile)),
    script: readFileSync(join(folder, scriptFile)),
  });
}

/** What is wrong with the files of an archived engine: empty if it can be loaded. */
export function engineFaults(dir: string, digest: string): readonly { readonly file: string; readonly what: string }[] {
  const row = knownEngines.get(digest);
  const folder = join(engineFolder(dir), digest);
  return [
    { file: wasmFile, wanted: digest },
    { file: scriptFile, wanted: row?.script },
  ].flatMap(({ file, wanted }) => {
    if (!existsSync(join(folder, file))) return [{ file, what: 'missing' }];
    return toHex(sha256(readFileSync(join(folder, file)))) === wanted ? [] : [{ file, what: 'changed' }];
  });
}

export const engineFileNames: readonly string[] = [wasmFile, scriptFile];

function checked(digest: string, files: EngineFiles): EngineFiles {
  const row = knownEngines.get(digest);
  if (!row) throw new AuthorityError('engine', `no engine ${digest} is known`);
  if (toHex(sha256(files.wasm)) !== digest || toHex(sha256(files.script)) !== row.script) {
    throw new AuthorityError('engine', `the files of engine ${digest} were changed: restore them from a backup`);
  }
  return files;
}

/**
 * A fresh instance of an engine, from bytes that were checked: what it parses is forgotten with it. Its script gets its
 * own wasm to read, and nothing else of this process.
 */
export function loadEngine({ wasm, script }: EngineFiles): Cedar {
  const made: Partial<Cedar> = {};
  const require = (name: string) => {
    if (name === 'fs') return { readFileSync: () => wasm };
    throw new AuthorityError('engine', `the engine's script asks for ${name}`);
  };
  compileFunction(fromUtf8(script), ['exports', 'require', '__dirname'])(made, require, '');
  return made as Cedar;
}

/** The engine of this process, for what is not kept: bundles that are only looked at, and the decisions of a test. */
export const ownEngine: Cedar = installedCedar;
