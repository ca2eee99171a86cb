import { compileMapping, parseMapping, type SourceEvent } from '@deed/evidence';
import { filesOf } from './log-folder.ts';
import { endings, eventOf } from './mapped-connector.ts';
import { readRecords } from './raw-records.ts';

/** What a mapping makes of the first records of a log. */
export interface Tried {
  readonly title: string;
  readonly coverage: readonly string[];
  readonly notCovered: readonly string[];
  readonly records: number;
  /** Records that are none of its events, by the mapping's own word. */
  readonly passedOver: number;
  readonly events: readonly SourceEvent[];
  readonly problems: readonly string[];
}

/** Reads the first records of a file or folder, and changes nothing. @throws EvidenceError mapping, limit; ReconcileError unreachable */
export function tryMapping(path: string, mappingBytes: Uint8Array, count: number): Tried {
  const mapping = parseMapping(mappingBytes);
  const reader = compileMapping(mapping);
  const events: SourceEvent[] = [];
  const problems: string[] = [];
  let [records, passedOver] = [0, 0];
  for (const file of filesOf(path, endings)) {
    if (records >= count) break;
    const reading = readRecords(file, mapping.records, undefined, count - records);
    problems.push(...reading.problems);
    for (const { raw, at } of reading.records.slice(0, count - records)) {
      records++;
      const event = eventOf(reader, raw);
      if (event === null) passedOver++;
      else if (typeof event === 'string') problems.push(`${at}: ${event}`);
      else events.push(event);
    }
  }
  const { title, coverage, notCovered } = mapping;
  return { title, coverage, notCovered, records, passedOver, events, problems };
}
