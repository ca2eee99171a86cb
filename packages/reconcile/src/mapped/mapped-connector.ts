import { compileMapping, type Mapping, parseMapping, type Reader, utf8 } from '@deed/evidence';
import { z } from 'zod';
import type { Connector, Reading, SourceRecord } from '../connector.ts';
import type { FilePlace } from './log-folder.ts';
import { filesOf } from './log-folder.ts';
import { maxRecordBytes, readRecords } from './raw-records.ts';

/** How far a source's clock may be ahead of ours before it is said. */
const maxAheadMs = 60_000;
const epoch = new Date(0).toISOString();
export const endings = ['.json', '.jsonl', '.ndjson', '.log', '.gz'];

const config = z.strictObject({
  /** A file, or a folder with files. */
  path: z.string().startsWith('/'),
  /** The mapping, verbatim: what it is does not change when the file that it came from does. */
  mapping: z.string().min(1),
  /** How long after it happened an event may still appear; without it, what the mapping says. */
  lagSeconds: z
    .number()
    .int()
    .min(0)
    .max(7 * 86_400)
    .optional(),
  /** True where the system writes here itself and at once: that nothing was written says then that nothing happened. */
  live: z.boolean().default(false),
});
export type MappedConfig = z.infer<typeof config>;

interface MappedPosition {
  readonly files: Readonly<Record<string, FilePlace>>;
  /** The newest time of any event. */
  readonly newest: string | null;
  readonly watermark: string | null;
}

/** Files of another system's log, in whatever form a mapping can read (docs/formats/source-mapping.md). */
export const mappedConnector: Connector<MappedConfig, MappedPosition> = {
  kind: 'mapped',
  version: '1',
  config,
  async start(given) {
    let position: MappedPosition = { files: {}, newest: null, watermark: null };
    for (;;) {
      const reading = read(given, position, 100_000);
      position = reading.to;
      if (!reading.more) return { ...reading, records: [], problems: [] };
    }
  },
  read: async (given, from, limit) => read(given, from, limit),
  rule: ({ mapping }) => utf8(mapping),
  skewMs: 2_000,
};

/** Mappings that were compiled, by their text. */
const compiled = new Map<string, { readonly mapping: Mapping; readonly reader: Reader }>();

function compiledOf(text: string) {
  const known = compiled.get(text);
  if (known) return known;
  const mapping = parseMapping(utf8(text));
  const made = { mapping, reader: compileMapping(mapping) };
  compiled.set(text, made);
  return made;
}

function read(given: MappedConfig, from: MappedPosition, limit: number): Reading<MappedPosition> {
  const { mapping, reader } = compiledOf(given.mapping);
  const records: SourceRecord[] = [];
  const problems: string[] = [];
  const files: Record<string, FilePlace> = { ...from.files };
  let { newest } = from;
  let more = false;
  for (const file of filesOf(given.path, endings)) {
    if (records.length >= limit) {
      more = true;
      break;
    }
    const reading = readRecords(file, mapping.records, from.files[file.name], limit - records.length);
    files[file.name] = reading.place;
    problems.push(...reading.problems);
    for (const { raw, at } of reading.records) {
      const event = eventOf(reader, raw);
      if (typeof event === 'string') problems.push(`${at}: ${event}`);
      else if (event !== null) {
        records.push({ raw, event });
        if (newest === null || event.time > newest) newest = event.time;
      }
    }
    more ||= reading.more;
  }
  const now = Date.now();
  if (newest !== null && Date.parse(newest) > now + maxAheadMs)
    problems.push(`the newest event is of ${newest}: the clock of the source is ahead of ours`);
  const lagMs = (given.lagSeconds ?? mapping.lagSeconds) * 1000;
  const reached = given.live && !more ? now : newest === null ? null : Math.min(Date.parse(newest), now);
  const read = reached === null ? null : new Date(reached - lagMs).toISOString();
  const before = from.watermark ?? (records.length > 0 ? epoch : null);
  const watermark = more || read === null || (before !== null && read < before) ? before : read;
  return { records, to: { files, newest, watermark }, watermark, coverage: mapping.coverage, problems, more };
}

/** What raw bytes say by a mapping; null: no event of this source; a text: why they are no record. */
export function eventOf(reader: Reader, raw: Uint8Array): ReturnType<Reader> {
  if (raw.length > maxRecordBytes) return `a record of more than ${maxRecordBytes} bytes`;
  try {
    return reader(JSON.parse(decoder.decode(raw)));
  } catch (cause) {
    return `it is no JSON: ${(cause as Error).message.slice(0, 200)}`;
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
