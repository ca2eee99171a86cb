import { holdsFor, type KeySpan, type NoteKey, parseVkey } from '@deed/evidence';
import type { Reading, Transaction } from '@deed/store';

/** A key that this log has or had, and the sizes of the checkpoints that it signs. */
export interface KnownLogKey {
  readonly vkey: string;
  readonly key: NoteKey;
  readonly span: KeySpan;
}

interface Row {
  readonly vkey: string;
  readonly from_size: number;
  readonly until_size: number | null;
}

/** Every key of the log whose folder this is, past ones included. */
export function readLogKeySpans(database: Reading): readonly KnownLogKey[] {
  const rows = database.all<Row>('SELECT vkey, from_size, until_size FROM log_key ORDER BY from_size, vkey');
  return rows.map(({ vkey, from_size: from, until_size: until }) => ({
    vkey,
    key: parseVkey(vkey),
    span: { from, until: until ?? Number.POSITIVE_INFINITY },
  }));
}

export function addLogKey(tx: Transaction, vkey: string, from = 0): void {
  tx.run('INSERT INTO log_key (vkey, from_size) VALUES (?, ?)', vkey, from);
}

/**
 * From the checkpoints of more than `size` entries on, `added` signs in the place of `ended`. It belongs into the transaction
 * of the key-event that says so.
 */
export function replaceLogKey(tx: Transaction, ended: string, added: string, size: number): void {
  tx.run('UPDATE log_key SET until_size = ? WHERE vkey = ?', size, ended);
  addLogKey(tx, added, size);
}

/** The keys that must sign a checkpoint of this size. */
export function signersOf(known: readonly KnownLogKey[], size: number): readonly KnownLogKey[] {
  return known.filter(({ span }) => holdsFor(span, size));
}
