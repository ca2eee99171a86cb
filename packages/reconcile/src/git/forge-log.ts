import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { type AccessRecord, type PushRecord, parseAccess, parsePush } from './forge-records.ts';
import { type FilePosition, type LogFile, type LogLine, readLogFile, startOfFile } from './log-file.ts';
import { decideReflogs, identityOf, pairReflogs, type UnpairedLine } from './reflog-pairing.ts';

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
    watermark = later(watermark, until);
    if (record.status >= 400 && record.claimed !== null && record.reason !== null) events.push(refusal(line, record));
  }

  const pushes = await readLogFile(join(dir, 'pushes.jsonl'), from.pushes);
  const newPushes = fresh('pushes.jsonl', pushes, from.pushes, parsePush, problems);
  const allPushes = pushes.lines.map((line) => parsePush(line.raw)).filter((record) => typeof record !== 'string');

  const paired = await pairReflogs(join(dir, 'repositories'), from.reflogs, allPushes);
  problems.push(...paired.problems);
  for (const { line, record } of newPushes) events.push(pushEvent(line, record, paired.agreeing));
  const decided = decideReflogs(paired, watermark);
  for (const one of decided.bypassed) events.push(bypassEvent(one));

  // What is left for the next reading is not before this one's watermark; the earlier one was true and stays.
  const limit = decided.undecidedFrom;
  if (watermark !== null && limit !== undefined && limit < watermark) watermark = later(from.watermark, limit);

  const to: ForgePosition = {
    access: access.continues ? access.after(access.lines.length - 1) : from.access,
    pushes: pushes.continues ? pushes.after(pushes.lines.length - 1) : from.pushes,
    reflogs: decided.positions,
    watermark,
  };
  events.sort((a, b) => (a.time === b.time ? 0 : a.time < b.time ? -1 : 1));
  return { events, from, to, watermark, coverage: forgeCoverage, problems };
}

function later(a: string | null, b: string): string {
  return a !== null && a > b ? a : b;
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

function pushEvent(line: LogLine, record: PushRecord, agreeing: ReadonlySet<string>): ForgeEvent {
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

/** A change that git noted and the hook did not. */
function bypassEvent({ path, repository, ref, line }: UnpairedLine): ForgeEvent {
  return {
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
