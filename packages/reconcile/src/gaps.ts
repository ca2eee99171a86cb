import type { Database } from '@deed/store';

/** Stretches of a source's time, from one moment on, of which records are missing. */
export function gapsSince(
  db: Database,
  source: string,
  since: string,
): readonly { readonly from: string; readonly to: string }[] {
  return db
    .all<{ since: string; until: string }>(
      'SELECT since, until FROM gap WHERE source = ? AND until >= ? ORDER BY since, id',
      ...[source, since],
    )
    .map((row) => ({ from: row.since, to: row.until }));
}
