import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { PushRecord } from './forge-records.ts';
import { type FilePosition, type LogFile, readLogFile, startOfFile } from './log-file.ts';
import { parseReflogLine, type ReflogLine } from './reflog.ts';

type Positions = { readonly [path: string]: FilePosition };

/** A change in a reflog that no push record tells of. */
export interface UnpairedLine {
  readonly path: string;
  readonly repository: string;
  readonly ref: string;
  readonly line: ReflogLine;
}

export interface ReflogFile {
  readonly path: string;
  readonly file: LogFile;
  readonly from: FilePosition;
}

export interface PairedReflogs {
  /** identityOf each push record that a reflog confirms. */
  readonly agreeing: ReadonlySet<string>;
  readonly unpaired: readonly UnpairedLine[];
  readonly files: readonly ReflogFile[];
  readonly problems: readonly string[];
}

/** Pairs every reflog line with a push record of the same change; a record without a user agrees with any. */
export async function pairReflogs(
  repositories: string,
  from: Positions,
  pushes: readonly PushRecord[],
): Promise<PairedReflogs> {
  const problems: string[] = [];
  const waiting = Map.groupBy(pushes, keyOf);
  const agreeing = new Set<string>();
  const unpaired: UnpairedLine[] = [];
  const files: ReflogFile[] = [];
  const deleted = new Set(
    pushes.filter((push) => /^0+$/.test(push.new)).map(({ repository, ref }) => `${repository}.git/logs/${ref}`),
  );
  for (const path of await reflogPaths(repositories, from)) {
    let start = from[path] ?? startOfFile;
    let file = await readLogFile(join(repositories, path), start);
    if (!file.continues) {
      // Deleting a ref deletes its reflog, and a new ref of that name starts a new one.
      if (!deleted.has(path)) problems.push(`reflog ${path} shrank or its past was changed`);
      start = startOfFile;
      file = await readLogFile(join(repositories, path), start);
    }
    files.push({ path, file, from: start });
    const [repository = '', ref = ''] = path.split('.git/logs/');
    for (const [index, line] of file.lines.entries()) {
      const parsed = parseReflogLine(line.offset, line.raw);
      if (parsed === undefined) {
        if (index >= start.lines) problems.push(`reflog ${path} at byte ${line.offset}: not a reflog line`);
        continue;
      }
      const same = waiting.get(keyOf({ repository, ref, old: parsed.old, new: parsed.new })) ?? [];
      const at = same.findIndex((push) => push.user === null || push.user === parsed.user);
      const [push] = at < 0 ? [] : same.splice(at, 1);
      if (push !== undefined) agreeing.add(identityOf(push));
      else if (index >= start.lines) unpaired.push({ path, repository, ref, line: parsed });
    }
  }
  return { agreeing, unpaired, files, problems };
}

function keyOf(change: Pick<PushRecord, 'repository' | 'ref' | 'old' | 'new'>): string {
  return JSON.stringify([change.repository, change.ref, change.old, change.new]);
}

export function identityOf(push: PushRecord): string {
  return JSON.stringify([keyOf(push), push.time, push.requestId, push.user]);
}

/** Reflogs of every repository but that of HEAD, which repeats its branch; those known from before come along. */
async function reflogPaths(repositories: string, from: Positions): Promise<readonly string[]> {
  const paths = new Set(Object.keys(from));
  const names = await readdir(repositories).catch(() => []);
  for (const name of names.filter((one) => one.endsWith('.git'))) {
    const logs = join(repositories, name, 'logs', 'refs');
    const entries = await readdir(logs, { recursive: true, withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      if (entry.isFile()) paths.add(join(entry.parentPath, entry.name).slice(repositories.length + 1));
    }
  }
  return [...paths].sort();
}

export interface DecidedReflogs {
  readonly bypassed: readonly UnpairedLine[];
  readonly positions: Positions;
  /** Time of the oldest line that is left for the next reading. */
  readonly undecidedFrom: string | undefined;
}

/**
 * Which unpaired lines are bypasses of the hook, and where the next reading starts. A line is decided once the
 * watermark has passed it; until then the hook may still be about to write, and the line is read again.
 */
export function decideReflogs(paired: PairedReflogs, watermark: string | null): DecidedReflogs {
  const bypassed: UnpairedLine[] = [];
  const undecided: string[] = [];
  const positions: Record<string, FilePosition> = {};
  for (const { path, file } of paired.files) {
    const mine = paired.unpaired.filter((one) => one.path === path);
    // The whole second that the reflog names must have passed.
    const early = mine.find(({ line }) => watermark === null || Date.parse(line.time) + 1000 > Date.parse(watermark));
    bypassed.push(...(early === undefined ? mine : mine.slice(0, mine.indexOf(early))));
    if (early !== undefined) undecided.push(early.line.time);
    const stop = file.lines.findIndex((line) => line.offset === early?.line.offset);
    const position = file.after(stop < 0 ? file.lines.length - 1 : stop - 1);
    if (position.bytes > 0) positions[path] = position;
  }
  return { bypassed, positions, undecidedFrom: undecided.sort()[0] };
}
