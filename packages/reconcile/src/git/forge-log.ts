import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type AccessRecord, type PushRecord, parseAccess, parsePush } from './forge-records.ts';
import { type FilePosition, type LogFile, type LogLine, readLogFile, startOfFile } from './log-file.ts';
import { parseReflogLine, type ReflogLine } from './reflog.ts';

/** One record of the forge, as its own log holds it. */
export interface ForgeEvent {
  /** `<file>:<offset>:<16 hex of the SHA-256 of raw>`: the same record always has the same one. */
  readonly sourceEventId: string;
  /** The exact bytes of the line. */
  readonly raw: Uint8Array;
  readonly rawSha256: string;
  readonly record: 'pushes' | 'access' | 'reflog';
  /** ISO 8601 with milliseconds; a reflog knows whole seconds only. */
  readonly time: string;
  /** The authenticated credential; for a refusal the claimed one, which proves nothing about who held it. */
  readonly credential: string | null;
  readonly authenticated: boolean;
  readonly kind: 'push' | 'refused-access';
  readonly repository: string | null;
  readonly ref?: string;
  readonly old?: string;
  readonly new?: string;
  readonly status: 'ok' | 'refused';
  /** The forge's reason for a refusal. */
  readonly reason?: string;
  readonly requestId: string | null;
  /** Whether git's own reflog tells the same; `absent` also for a deleted ref, whose reflog goes with it. */
  readonly reflog: 'agrees' | 'absent';
}

/** Where the next reading starts. Plain data, to be kept with the batch. */
export interface ForgePosition {
  readonly access: FilePosition;
  readonly pushes: FilePosition;
  /** By path below `repositories/`. */
  readonly reflogs: { readonly [path: string]: FilePosition };
  readonly watermark: string | null;
}

export interface ForgeBatch {
  readonly events: readonly ForgeEvent[];
  readonly from: ForgePosition;
  readonly to: ForgePosition;
  /** All that happened at the forge before this time is in this batch or an earlier one; null when nothing is known. */
  readonly watermark: string | null;
  readonly coverage: readonly string[];
  /** What keeps this batch from being the whole truth. Empty is good. */
  readonly problems: readonly string[];
}

export const startOfForgeLog: ForgePosition = {
  access: startOfFile,
  pushes: startOfFile,
  reflogs: {},
  watermark: null,
};

/** What the forge logs at all. A read that it allowed is not an event. */
export const forgeCoverage = ['pushes', 'refused authentications', 'refused repositories'] as const;

/**
 * Reads what the forge in `dir` recorded since `from`. The order of reading makes the watermark true: access.jsonl
 * first, whose lines are written when their request has ended, then pushes.jsonl, which those requests wrote before,
 * then the reflogs, which git wrote before the hook ran. A line that is no record is a problem and is passed over; a
 * file that shrank or whose past changed is a problem, and nothing of it is read.
 */
export async function readForgeLog(dir: string, from: ForgePosition = startOfForgeLog): Promise<ForgeBatch> {
  const problems: string[] = [];
  const events: ForgeEvent[] = [];

  const access = await readLogFile(join(dir, 'access.jsonl'), from.access);
  let watermark = from.watermark;
  for (const { line, record } of fresh('access.jsonl', access, from.access, parseAccess, problems)) {
    const until = record.open !== null && record.open < record.time ? record.open : record.time;
    if (watermark === null || until > watermark) watermark = until;
    if (record.status >= 400 && record.claimed !== null && record.reason !== null) events.push(refusal(line, record));
  }

  const pushes = await readLogFile(join(dir, 'pushes.jsonl'), from.pushes);
  const newPushes = fresh('pushes.jsonl', pushes, from.pushes, parsePush, problems);
  const allPushes = pushes.lines.map((line) => parsePush(line.raw)).filter((record) => typeof record !== 'string');

  const reflogs = await readReflogs(dir, from, allPushes, problems);
  for (const { line, record } of newPushes) events.push(pushEvent(line, record, reflogs.agreeing));
  const settled = settle(reflogs.files, reflogs.unmatched, watermark);
  events.push(...settled.events);

  const to: ForgePosition = {
    access: access.continues ? access.after(access.lines.length - 1) : from.access,
    pushes: pushes.continues ? pushes.after(pushes.lines.length - 1) : from.pushes,
    reflogs: settled.positions,
    watermark,
  };
  events.sort((a, b) => (a.time === b.time ? 0 : a.time < b.time ? -1 : 1));
  return { events, from, to, watermark, coverage: forgeCoverage, problems };
}

/** The records after a position; what is wrong with the file or a line goes to `problems`. */
function fresh<T extends object>(
  name: string,
  file: LogFile,
  from: FilePosition,
  parse: (raw: Uint8Array) => T | string,
  problems: string[],
): readonly { readonly line: LogLine; readonly record: T }[] {
  if (!file.continues) {
    problems.push(`${name} shrank or its past was changed: the bytes before ${from.bytes} are not those read before`);
    return [];
  }
  if (file.unfinishedBytes > 0)
    problems.push(`${name} ends inside a line: ${file.unfinishedBytes} bytes left for later`);
  const records: { readonly line: LogLine; readonly record: T }[] = [];
  for (const line of file.lines.slice(from.lines)) {
    const record = parse(line.raw);
    if (typeof record === 'string') problems.push(`${name} at byte ${line.offset}: ${record}`);
    else records.push({ line, record });
  }
  return records;
}

interface Unmatched {
  readonly path: string;
  readonly repository: string;
  readonly ref: string;
  readonly line: ReflogLine;
}

interface ReflogFile {
  readonly path: string;
  readonly file: LogFile;
  readonly from: FilePosition;
}

/** Pairs every reflog line with a push record of the same change; a record without a user agrees with any. */
async function readReflogs(dir: string, from: ForgePosition, pushes: readonly PushRecord[], problems: string[]) {
  const waiting = Map.groupBy(pushes, keyOf);
  const agreeing = new Set<PushRecord | string>();
  const unmatched: Unmatched[] = [];
  const files: ReflogFile[] = [];
  const deleted = new Set(
    pushes.filter((push) => /^0+$/.test(push.new)).map(({ repository, ref }) => `${repository}.git/logs/${ref}`),
  );
  for (const path of await reflogPaths(join(dir, 'repositories'), from)) {
    let start = from.reflogs[path] ?? startOfFile;
    let file = await readLogFile(join(dir, 'repositories', path), start);
    if (!file.continues) {
      // Deleting a ref deletes its reflog, and a new ref of that name starts a new one.
      if (!deleted.has(path)) problems.push(`reflog ${path} shrank or its past was changed`);
      start = startOfFile;
      file = await readLogFile(join(dir, 'repositories', path), start);
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
      else if (index >= start.lines) unmatched.push({ path, repository, ref, line: parsed });
    }
  }
  return { agreeing, unmatched, files };
}

function keyOf(change: Pick<PushRecord, 'repository' | 'ref' | 'old' | 'new'>): string {
  return JSON.stringify([change.repository, change.ref, change.old, change.new]);
}

function identityOf(push: PushRecord): string {
  return JSON.stringify([keyOf(push), push.time, push.requestId, push.user]);
}

/** Reflogs of every repository but that of HEAD, which repeats its branch; those known from before come along. */
async function reflogPaths(repositories: string, from: ForgePosition): Promise<readonly string[]> {
  const paths = new Set(Object.keys(from.reflogs));
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

/**
 * A change in a reflog that pushes.jsonl lacks bypassed the hook, and is an event of its own, once the watermark has
 * passed it; until then the hook may still be about to write, and the line is read again.
 */
function settle(files: readonly ReflogFile[], unmatched: readonly Unmatched[], watermark: string | null) {
  const events: ForgeEvent[] = [];
  const positions: Record<string, FilePosition> = {};
  for (const { path, file } of files) {
    const mine = unmatched.filter((one) => one.path === path);
    // The whole second that the reflog names must have passed.
    const early = mine.find(({ line }) => watermark === null || Date.parse(line.time) + 1000 > Date.parse(watermark));
    const decided = early === undefined ? mine : mine.slice(0, mine.indexOf(early));
    for (const { repository, ref, line } of decided) {
      events.push({
        ...identify(`reflog/${path}`, line),
        record: 'reflog',
        time: line.time,
        credential: line.user,
        authenticated: false,
        kind: 'push',
        repository,
        ref,
        old: line.old,
        new: line.new,
        status: 'ok',
        requestId: null,
        reflog: 'agrees',
      });
    }
    const stop = file.lines.findIndex((line) => line.offset === early?.line.offset);
    const position = file.after(stop < 0 ? file.lines.length - 1 : stop - 1);
    if (position.bytes > 0) positions[path] = position;
  }
  return { events, positions };
}

function pushEvent(line: LogLine, record: PushRecord, agreeing: ReadonlySet<PushRecord | string>): ForgeEvent {
  const { time, user, repository, ref, old, new: to, requestId } = record;
  return {
    ...identify('pushes', line),
    record: 'pushes',
    time,
    credential: user,
    authenticated: user !== null,
    kind: 'push',
    repository,
    ref,
    old,
    new: to,
    status: 'ok',
    requestId,
    reflog: agreeing.has(identityOf(record)) ? 'agrees' : 'absent',
  };
}

function refusal(line: LogLine, record: AccessRecord): ForgeEvent {
  return {
    ...identify('access', line),
    record: 'access',
    time: record.time,
    credential: record.user ?? record.claimed,
    authenticated: record.user !== null,
    kind: 'refused-access',
    repository: record.repository,
    status: 'refused',
    ...(record.reason === null ? {} : { reason: record.reason }),
    requestId: record.requestId,
    reflog: 'absent',
  };
}

function identify(name: string, { offset, raw }: LogLine): Pick<ForgeEvent, 'sourceEventId' | 'raw' | 'rawSha256'> {
  const rawSha256 = createHash('sha256').update(raw).digest('hex');
  return { sourceEventId: `${name}:${offset}:${rawSha256.slice(0, 16)}`, raw, rawSha256 };
}
