import { fromUtf8 } from '../encoding.ts';
import { EvidenceError } from '../errors.ts';

/** Microseconds between the epochs of Unix and PostgreSQL (2000-01-01). */
const epochMicros = 946_684_800_000_000n;

export interface Column {
  readonly name: string;
  readonly isKey: boolean;
}

/** Text of a value; null; or undefined where a large value was not changed and so is not told. */
export type Cell = string | null | undefined;

/** One message of the logical replication protocol, version 1 (PostgreSQL documentation, "Logical Replication Message Formats"). */
export type PgMessage =
  | { readonly kind: 'begin'; readonly lsn: bigint; readonly timeMs: number; readonly xid: number }
  | { readonly kind: 'commit'; readonly endLsn: bigint }
  | {
      readonly kind: 'relation';
      readonly id: number;
      readonly schema: string;
      readonly table: string;
      readonly columns: readonly Column[];
    }
  | { readonly kind: 'insert'; readonly relation: number; readonly after: readonly Cell[] }
  | {
      readonly kind: 'update';
      readonly relation: number;
      readonly before: readonly Cell[] | null;
      readonly after: readonly Cell[];
    }
  | { readonly kind: 'delete'; readonly relation: number; readonly before: readonly Cell[] }
  | { readonly kind: 'truncate'; readonly relations: readonly number[] }
  | { readonly kind: 'message'; readonly prefix: string; readonly content: Uint8Array }
  | { readonly kind: 'other' };

/** @throws EvidenceError encoding (not one whole message) */
export function readPgMessage(bytes: Uint8Array): PgMessage {
  const reader = new Reader(bytes);
  const message = read(reader);
  if (message.kind !== 'other' && !reader.isAtEnd)
    throw new EvidenceError('encoding', 'a replication message goes on after its end');
  return message;
}

function read(reader: Reader): PgMessage {
  switch (reader.character()) {
    case 'B':
      return { kind: 'begin', lsn: reader.int64(), timeMs: timeMs(reader.int64()), xid: reader.uint32() };
    case 'C': {
      reader.byte();
      reader.int64();
      const endLsn = reader.int64();
      reader.int64();
      return { kind: 'commit', endLsn };
    }
    case 'R':
      return relation(reader);
    case 'I': {
      const id = reader.uint32();
      return { kind: 'insert', relation: id, after: reader.tuple('N') };
    }
    case 'U': {
      const id = reader.uint32();
      const before = reader.peek() === 'N' ? null : reader.tuple('K', 'O');
      return { kind: 'update', relation: id, before, after: reader.tuple('N') };
    }
    case 'D': {
      const id = reader.uint32();
      return { kind: 'delete', relation: id, before: reader.tuple('K', 'O') };
    }
    case 'T': {
      const count = reader.uint32();
      reader.byte();
      if (count > 10_000) throw new EvidenceError('encoding', 'a replication message names too many tables');
      return { kind: 'truncate', relations: Array.from({ length: count }, () => reader.uint32()) };
    }
    case 'M': {
      reader.byte();
      reader.int64();
      return { kind: 'message', prefix: reader.text(), content: reader.bytes(reader.uint32()) };
    }
    case 'O':
    case 'Y':
      return { kind: 'other' };
    default:
      throw new EvidenceError('encoding', 'no replication message that is known');
  }
}

function relation(reader: Reader): PgMessage {
  const [id, schema, table] = [reader.uint32(), reader.text(), reader.text()];
  reader.byte();
  const columns = Array.from({ length: reader.uint16() }, (): Column => {
    const isKey = (reader.byte() & 1) === 1;
    const name = reader.text();
    reader.uint32();
    reader.uint32();
    return { name, isKey };
  });
  return { kind: 'relation', id, schema: schema === '' ? 'pg_catalog' : schema, table, columns };
}

function timeMs(micros: bigint): number {
  return Number((micros + epochMicros) / 1000n);
}

/** Reads on in bytes that may end anywhere. */
class Reader {
  private readonly bytesRead: Uint8Array;
  private readonly view: DataView;
  private at = 0;

  constructor(bytes: Uint8Array) {
    this.bytesRead = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get isAtEnd(): boolean {
    return this.at === this.bytesRead.length;
  }

  bytes(length: number): Uint8Array {
    if (length > this.bytesRead.length - this.at)
      throw new EvidenceError('encoding', 'a replication message ends too early');
    this.at += length;
    return this.bytesRead.subarray(this.at - length, this.at);
  }

  private skip(length: number): number {
    this.bytes(length);
    return this.at - length;
  }

  byte(): number {
    return this.view.getUint8(this.skip(1));
  }

  uint16(): number {
    return this.view.getUint16(this.skip(2));
  }

  uint32(): number {
    return this.view.getUint32(this.skip(4));
  }

  int64(): bigint {
    return this.view.getBigInt64(this.skip(8));
  }

  character(): string {
    return String.fromCharCode(this.byte());
  }

  peek(): string {
    return String.fromCharCode(this.bytesRead[this.at] ?? 0);
  }

  /** A text that ends with a zero. */
  text(): string {
    const end = this.bytesRead.indexOf(0, this.at);
    if (end < 0) throw new EvidenceError('encoding', 'a replication message ends inside a name');
    const text = fromUtf8(this.bytes(end - this.at));
    this.at++;
    return text;
  }

  tuple(...marks: readonly string[]): readonly Cell[] {
    if (!marks.includes(this.character()))
      throw new EvidenceError('encoding', 'a replication message has another row than expected');
    return Array.from({ length: this.uint16() }, (): Cell => {
      const kind = this.character();
      if (kind === 'n') return null;
      if (kind === 'u') return undefined;
      if (kind !== 't')
        throw new EvidenceError('encoding', 'a replication message has a value of another kind than text');
      return fromUtf8(this.bytes(this.uint32()));
    });
  }
}
