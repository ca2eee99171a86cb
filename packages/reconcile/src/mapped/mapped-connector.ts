import {
  compileMapping,
  compileSequence,
  type Json,
  type Mapping,
  parseMapping,
  type Reader,
  utf8,
} from '@deed/evidence';
import { z } from 'zod';
import type { Connector, Reading, SourceRecord } from '../connector.ts';
import { endOf, lagSeconds } from '../reading.ts';
import { Continuity } from './continuity.ts';
import type { FilePlace } from './log-folder.ts';
import { filesOf, placesOf } from './log-folder.ts';
import { maxRecordBytes, readRecords } from './raw-records.ts';

/** How far a source's clock may be ahead of ours before it is said. */
const maxAheadMs = 60_000;
const epoch = new Date(0).toISOString();
export const endings = /\.(json|jsonl|ndjson|log|gz)(\.[0-9]{1,9})?$/;

const config = z.strictObject({
  /** A file, or a folder with files. */
  path: z.string().startsWith('/'),
  /** The mapping, verbatim: what it is does not change when the file that it came from does. */
  mapping: z.string().min(1),
  /** How long after it happened an event may still appear; without it, what the mapping says. */
  lagSeconds,
  /** True where the system writes here itself and at once: that nothing was written says then that nothing happened. */
  live: z.boolean().default(false),
});
export type MappedConfig = z.infer<typeof config>;

interface MappedPosition {
  readonly files: Readonly<Record<string, FilePlace>>;
  /** The newest time of any event. */
  readonly newest: string | null;
  readonly watermark: string | null;
  /** The number of the newest record, where the mapping tells it, and the time of the event that was read before. */
  readonly sequence?: number | null;
  readonly last?: string | null;
}

/** Files of another system's log, in whatever form a mapping can read (docs/formats/source-mapping.md). */
export const mappedConnector: Connector<MappedConfig, MappedPosition> = {
  kind: 'mapped',
  version: '1',
  config,
  start: async (given) =>
    endOf<MappedPosition>((from, limit) => read(given, from, limit), { files: {}, newest: null, watermark: null }),
  read: async (given, from, limit) => read(given, from, limit),
  rule: ({ mapping }) => utf8(mapping),
  skewMs: 2_000,
};

/** Mappings that were compiled, by their text. */
const compiled = new Map<string, ReturnType<typeof compiledOf>>();

/** A mapping by its text, compiled once. @throws EvidenceError mapping */
export function compiledOf(text: string): {
  readonly mapping: Mapping;
  readonly reader: Reader;
  readonly sequence: (record: Json) => number | null;
} {
  const known = compiled.get(text);
  if (known) return known;
  const mapping = parseMapping(utf8(text));
  const made = { mapping, reader: compileMapping(mapping), sequence: compileSequence(mapping) };
  compiled.set(text, made);
  return made;
}

function read(given: MappedConfig, from: MappedPosition, limit: number): Reading<MappedPosition> {
  const { mapping, reader, sequence } = compiledOf(given.mapping);
  const records: SourceRecord[] = [];
  const problems: string[] = [];
  const files: Record<string, FilePlace> = {};
  const continuity = new Continuity(from);
  const nowMs = Date.now();
  const now = new Date(nowMs).toISOString();
  let { newest } = from;
  let more = false;
  const found = placesOf(filesOf(given.path, endings), from.files);
  for (const { file, place, lost } of found) {
    if (records.length >= limit) {
      more = true;
      if (place) files[file.name] = place;
      continue;
    }
    if (lost !== null) continuity.lose(from.watermark, now, lost);
    const reading = readRecords(file, mapping.records, place, limit - records.length);
    files[file.name] = reading.place;
    for (const problem of reading.problems) continuity.miss(problem);
    for (const { raw, at } of reading.records) {
      const record = parsed(raw);
      const event = typeof record === 'string' ? record : reader(record.json);
      const isUnread = typeof event === 'string';
      continuity.next(
        isUnread || event === null ? null : event.time,
        typeof record === 'string' ? null : sequence(record.json),
      );
      if (isUnread) continuity.miss(`${at}: ${event}`);
      else if (event !== null) {
        records.push({ raw, event });
        if (newest === null || event.time > newest) newest = event.time;
      }
    }
    more ||= reading.more;
  }
  const gaps = continuity.gaps(now);
  if (newest !== null && Date.parse(newest) > nowMs + maxAheadMs)
    problems.push(`the newest event is of ${newest}: the clock of the source is ahead of ours`);
  const lagMs = (given.lagSeconds ?? mapping.lagSeconds) * 1000;
  const reached = given.live && !more ? nowMs : newest === null ? null : Math.min(Date.parse(newest), nowMs);
  const read = reached === null ? null : new Date(reached - lagMs).toISOString();
  const before = from.watermark ?? (records.length > 0 ? epoch : null);
  const watermark = more || read === null || (before !== null && read < before) ? before : read;
  const to = { files, newest, watermark, ...continuity.place };
  return { records, to, watermark, coverage: mapping.coverage, problems, gaps, more };
}

/** What raw bytes say by a mapping; null: no event of this source; a text: why they are no record. */
export function eventOf(reader: Reader, raw: Uint8Array): ReturnType<Reader> {
  const record = parsed(raw);
  return typeof record === 'string' ? record : reader(record.json);
}

function parsed(raw: Uint8Array): { readonly json: Json } | string {
  if (raw.length > maxRecordBytes) return `a record of more than ${maxRecordBytes} bytes`;
  try {
    return { json: JSON.parse(decoder.decode(raw)) as Json };
  } catch (cause) {
    return `it is no JSON: ${(cause as Error).message.slice(0, 200)}`;
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
