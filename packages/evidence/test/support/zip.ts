import { crc32 } from 'node:zlib';

export interface ZipEntry {
  readonly name: string;
  readonly data: Uint8Array;
  readonly method?: number;
  /** The bytes as they lie in the file, if they are compressed. */
  readonly stored?: Uint8Array;
  readonly extra?: Uint8Array;
  /** The size that the headers claim. */
  readonly claims?: number;
}

export interface ZipForm {
  readonly version?: number;
  readonly flags?: number;
  readonly date?: number;
  readonly comment?: string;
  /** All entries share the bytes of the first. */
  readonly overlap?: boolean;
}

/** An independent zip writer, for forms that a case must not have. */
export function zip(entries: readonly ZipEntry[], form: ZipForm = {}): Uint8Array {
  const { version = 20, flags = 0, date = 33, comment = '', overlap = false } = form;
  const locals: Buffer[] = [];
  const central: Buffer[] = [];
  let offset = 0;
  entries.forEach((entry, i) => {
    const { name, data, method = 0, stored = data, extra = new Uint8Array(), claims = stored.length } = entry;
    const common = Buffer.alloc(26);
    common.writeUInt16LE(version, 0);
    common.writeUInt16LE(flags, 2);
    common.writeUInt16LE(method, 4);
    common.writeUInt16LE(date, 8);
    common.writeUInt32LE(crc32(data), 10);
    common.writeUInt32LE(claims, 14);
    common.writeUInt32LE(claims === stored.length ? data.length : claims, 18);
    common.writeUInt16LE(Buffer.byteLength(name), 22);
    common.writeUInt16LE(extra.length, 24);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(overlap ? 0 : offset, 10);
    central.push(Buffer.from('504b0102', 'hex'), short(version), common, tail, Buffer.from(name), Buffer.from(extra));
    if (overlap && i > 0) return;
    const local = [Buffer.from('504b0304', 'hex'), common, Buffer.from(name), Buffer.from(extra), Buffer.from(stored)];
    locals.push(...local);
    offset += local.reduce((sum, part) => sum + part.length, 0);
  });
  const directory = Buffer.concat(central);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(entries.length, 4);
  end.writeUInt16LE(entries.length, 6);
  end.writeUInt32LE(directory.length, 8);
  end.writeUInt32LE(offset, 12);
  end.writeUInt16LE(comment.length, 16);
  const parts = [...locals, directory, Buffer.from('504b0506', 'hex'), end, Buffer.from(comment)];
  return new Uint8Array(Buffer.concat(parts));
}

function short(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
}
