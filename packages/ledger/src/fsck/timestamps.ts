import { EvidenceError, parseNote, utf8, verifyTimestamp } from '@deed/evidence';
import type { ReadDatabase } from '@deed/store';
import type { Examined } from './examined.ts';

interface Row {
  readonly size: number;
  readonly response: Uint8Array;
  readonly certificate: string | null;
  readonly time: number | null;
  readonly note: string | null;
}

/** Each stored stamp is on the text of its checkpoint, and by whom and of when its row says. */
export function checkTimestamps(database: ReadDatabase, add: Examined['add']): void {
  const next = `SELECT timestamp.size, response, certificate, time, note
    FROM timestamp LEFT JOIN checkpoint ON checkpoint.size = timestamp.size
    WHERE response IS NOT NULL AND timestamp.size > ? ORDER BY timestamp.size LIMIT 1`;
  for (let row = database.get<Row>(next, Number.MIN_SAFE_INTEGER); row; row = database.get<Row>(next, row.size)) {
    const what = faultOf(row);
    if (what) add('checkpoint', `timestamp row ${row.size}`, what);
  }
}

function faultOf({ response, certificate, time, note }: Row): string | null {
  if (note === null) return 'there is no checkpoint of this size';
  try {
    const stamp = verifyTimestamp(response, utf8(parseNote(note).text));
    if (stamp.certificate !== certificate) return 'names another certificate than its token';
    return stamp.timeMs === time ? null : 'names another time than its token';
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    return error.message;
  }
}
