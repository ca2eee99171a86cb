import type { SqlValue } from '@deed/store';
import type { RoomGround } from './room.ts';

export interface TableForm {
  readonly name: string;
  readonly key: string;
  /** Columns that follow from entries, the key not among them. */
  readonly derived: readonly string[];
  /** Columns that no entry tells: configuration, labels, what only this run needs. A change in them is not noticed. */
  readonly free: readonly string[];
  /** Rows may be gone again, or be there before their entry. */
  readonly partial?: boolean;
}

type Row = Readonly<Record<string, SqlValue>>;

/** The rows of a table as the entries give them, to be compared with those that are there. */
export class DerivedTable {
  readonly form: TableForm;
  private readonly rows = new Map<SqlValue, Record<string, SqlValue>>();

  constructor(form: TableForm) {
    this.form = form;
  }

  set(key: SqlValue, row: Row): void {
    this.rows.set(key, { ...row });
  }

  get(key: SqlValue): Row | undefined {
    return this.rows.get(key);
  }

  /** Changes some columns of a row that is there; what is not there is reported by the comparison. */
  change(key: SqlValue, columns: Row): void {
    const row = this.rows.get(key);
    if (row) Object.assign(row, columns);
  }

  keys(): Iterable<SqlValue> {
    return this.rows.keys();
  }

  has(key: SqlValue): boolean {
    return this.rows.has(key);
  }

  /** Names each row that is absent, differs, or stands for no entry. */
  compare({ database, add }: RoomGround): void {
    const { name, key, derived, partial = false } = this.form;
    const left = new Set(this.rows.keys());
    for (const row of database.all<Record<string, SqlValue>>(`SELECT ${[key, ...derived].join(', ')} FROM ${name}`)) {
      const id = row[key] ?? null;
      const where = `table ${name}, row ${String(id)}`;
      const expected = this.rows.get(id);
      left.delete(id);
      if (!expected) {
        if (!partial) add('state', where, 'no entry of the log says this');
        continue;
      }
      const other = derived.filter((column) => !same(row[column] ?? null, expected[column] ?? null));
      if (other.length > 0) add('state', where, `${other.join(', ')} differ from what the entries give`);
    }
    if (!partial)
      for (const id of left) add('state', `table ${name}, row ${String(id)}`, 'absent, and an entry says it');
  }
}

function same(a: SqlValue, b: SqlValue): boolean {
  if (ArrayBuffer.isView(a) && ArrayBuffer.isView(b)) {
    return (
      Buffer.compare(
        Buffer.from(a.buffer, a.byteOffset, a.byteLength),
        Buffer.from(b.buffer, b.byteOffset, b.byteLength),
      ) === 0
    );
  }
  return a === b;
}
