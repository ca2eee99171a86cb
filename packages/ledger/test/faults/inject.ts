/** Puts faults into the steps by which a ledger writes. Loaded before anything else of the process that is to suffer. */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { dirname, relative } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';

export const faults = ['error, not done', 'error, done', 'crash before', 'crash after'] as const;
export type Fault = (typeof faults)[number];

export interface Plan {
  /** As {@link arm} lists it: `fsync full tile 1`. */
  readonly step: string;
  readonly fault: Fault;
}

interface Armed {
  readonly logFolder: string;
  readonly plan: Plan | undefined;
  readonly steps: string[];
}

let armed: Armed | undefined;
const handles = new Map<number, string>();

/** From here on the steps of this log are listed, and the planned one fails. Returns the growing list. */
export function arm(logFolder: string, plan?: Plan): readonly string[] {
  armed = { logFolder, plan, steps: [] };
  return armed.steps;
}

export function disarm(): void {
  armed = undefined;
}

/** What is written in a folder of the log, undefined outside of it. */
function placeOf(folder: string): string | undefined {
  const path = armed && relative(armed.logFolder, folder);
  if (path === undefined || path.startsWith('..')) return undefined;
  if (path === '') return 'checkpoint';
  const kind = path.startsWith('tile/entries') ? 'bundle' : 'tile';
  return path === 'tile' ? 'tree' : `${path.endsWith('.p') ? 'partial' : 'full'} ${kind}`;
}

function step<T>(operation: string, place: string | undefined, run: () => T): T {
  if (!armed || place === undefined) return run();
  const { plan, steps } = armed;
  const name = `${operation} ${place}`;
  const count = steps.filter((known) => known.startsWith(`${name} `)).length + 1;
  const numbered = `${name} ${count}`;
  steps.push(numbered);
  if (plan?.step !== numbered) return run();
  const failure = Object.assign(new Error(`EIO: injected into ${numbered}`), { code: 'EIO' });
  if (plan.fault === 'crash before') die();
  if (plan.fault === 'error, not done') throw failure;
  const result = run();
  if (plan.fault === 'crash after') die();
  void result;
  throw failure;
}

function die(): never {
  process.kill(process.pid, 'SIGKILL');
  for (;;);
}

const real = { ...fs };
fs.openSync = (path, flags, mode) => {
  const isFolder = flags === 'r';
  const place = placeOf(isFolder ? String(path) : dirname(String(path)));
  const handle = step(isFolder ? 'open folder of' : 'open', place, () => real.openSync(path, flags, mode));
  if (place !== undefined) handles.set(handle, isFolder ? `folder of ${place}` : place);
  return handle;
};
fs.writeSync = ((handle: number, ...rest: [Uint8Array, number]) =>
  step('write', handles.get(handle), () => real.writeSync(handle, ...rest))) as typeof fs.writeSync;
fs.fsyncSync = (handle) => step('fsync', handles.get(handle), () => real.fsyncSync(handle));
fs.closeSync = (handle) => {
  const place = handles.get(handle);
  handles.delete(handle);
  step('close', place, () => real.closeSync(handle));
};
fs.linkSync = (from, to) => step('link', placeOf(dirname(String(to))), () => real.linkSync(from, to));
fs.renameSync = (from, to) => step('rename', placeOf(dirname(String(to))), () => real.renameSync(from, to));
fs.unlinkSync = (path) => step('unlink temp of', placeOf(dirname(String(path))), () => real.unlinkSync(path));
fs.rmSync = (path, options) =>
  step('drop partials of', placeOf(dirname(String(path))), () => real.rmSync(path, options));
fs.mkdirSync = ((path: string, options: object) =>
  step('mkdir in', placeOf(dirname(path)), () => real.mkdirSync(path, options))) as typeof fs.mkdirSync;
syncBuiltinESMExports();

/** The rows that the open transaction holds, for the name of its COMMIT. */
let inside: string | undefined;
const prepare = DatabaseSync.prototype.prepare;
DatabaseSync.prototype.prepare = function (this: DatabaseSync, ...given: Parameters<typeof prepare>): StatementSync {
  const [sql] = given;
  const statement = prepare.apply(this, given);
  const run = statement.run.bind(statement) as (...values: unknown[]) => ReturnType<StatementSync['run']>;
  const table = /^\s*INSERT INTO (entry|checkpoint) /.exec(sql)?.[1];
  if (table) {
    statement.run = ((...values: unknown[]) => {
      inside = table;
      return run(...values);
    }) as typeof statement.run;
  } else if (sql === 'COMMIT') {
    statement.run = ((...values: unknown[]) => {
      const place = armed && inside;
      inside = undefined;
      return step('commit', place, () => run(...values));
    }) as typeof statement.run;
  }
  return statement;
};
