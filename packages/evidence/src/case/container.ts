import { concat, equalBytes, fromUtf8, utf8 } from '../encoding.ts';
import { EvidenceError } from '../errors.ts';

export const maxMembers = 60_000;
export const maxContainerBytes = 1024 * 1024 * 1024;
export const memberName = /^[a-z0-9][A-Za-z0-9._-]*(\/[A-Za-z0-9][A-Za-z0-9._-]*)*$/;

const localSignature = 0x04034b50;
const centralSignature = 0x02014b50;
const endSignature = 0x06054b50;
const version = 20;
/** 1980-01-01, the earliest date that the format can hold. */
const date = 33;

/** Builds the one byte form of a container: stored, sorted by name, fixed header fields. @throws EvidenceError container */
export function buildContainer(members: ReadonlyMap<string, Uint8Array>): Uint8Array {
  if (members.size > maxMembers) throw new EvidenceError('container', `more than ${maxMembers} members`);
  const names = [...members.keys()].sort();
  const locals: Uint8Array[] = [];
  const central: Uint8Array[] = [];
  let offset = 0;
  for (const name of names) {
    if (!memberName.test(name))
      throw new EvidenceError('container', `member name ${JSON.stringify(name)} is not accepted`);
    const data = members.get(name) ?? new Uint8Array();
    const nameBytes = utf8(name);
    const fields = [version, 0, 0, 0, date] as const;
    const tail = { crc: crc32(data), size: data.length, name: nameBytes };
    locals.push(header(localSignature, fields, tail, []), nameBytes, data);
    // comment length, disk, internal attributes; then external attributes and offset as 32-bit numbers
    central.push(
      header(centralSignature, [version, ...fields], tail, [0, 0, 0, 0, 0, offset & 0xffff, offset >>> 16]),
      nameBytes,
    );
    offset += 30 + nameBytes.length + data.length;
    if (offset > maxContainerBytes) throw new EvidenceError('container', 'larger than 1 GiB');
  }
  const directory = concat(...central);
  const end = new DataView(new ArrayBuffer(22));
  end.setUint32(0, endSignature, true);
  end.setUint16(8, names.length, true);
  end.setUint16(10, names.length, true);
  end.setUint32(12, directory.length, true);
  end.setUint32(16, offset, true);
  return concat(...locals, directory, new Uint8Array(end.buffer));
}

function header(
  signature: number,
  first: readonly number[],
  member: { readonly crc: number; readonly size: number; readonly name: Uint8Array },
  last: readonly number[],
): Uint8Array {
  const view = new DataView(new ArrayBuffer(4 + 2 * first.length + 12 + 4 + 2 * last.length));
  let at = 0;
  const u16 = (value: number) => {
    view.setUint16(at, value, true);
    at += 2;
  };
  const u32 = (value: number) => {
    view.setUint32(at, value, true);
    at += 4;
  };
  u32(signature);
  first.forEach(u16);
  u32(member.crc);
  u32(member.size);
  u32(member.size);
  u16(member.name.length);
  u16(0);
  last.forEach(u16);
  return new Uint8Array(view.buffer);
}

/**
 * Opens a container and refuses every byte form but the one that {@link buildContainer} would make of its members.
 * The bytes are untrusted: names are checked, nothing is inflated, and no size is believed before it is inside the file.
 * @throws EvidenceError container, limit
 */
export function openContainer(bytes: Uint8Array): Map<string, Uint8Array> {
  if (bytes.length > maxContainerBytes) throw new EvidenceError('limit', 'the file is larger than 1 GiB');
  if (bytes.length < 22) throw bad(bytes.length === 0 ? 'the file is empty' : 'the file is too short for a zip');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const end = bytes.length - 22;
  if (view.getUint32(end, true) !== endSignature)
    throw bad('no end record at the end: truncated, or something follows it');
  const entries = view.getUint16(end + 10, true);
  if (entries > maxMembers) throw bad(`more than ${maxMembers} members`);
  const members = new Map<string, Uint8Array>();
  let at = view.getUint32(end + 16, true);
  let offset = 0;
  for (let i = 0; i < entries; i++) {
    const member = readMember(bytes, view, at, end);
    if (members.has(member.name)) throw bad(`two members are named ${member.name}`);
    // Members lie one after the other, so that no two share bytes and their sizes add up to the file's.
    if (member.offset !== offset) throw bad(`member ${member.name} does not follow the one before it`);
    offset = member.end;
    members.set(member.name, member.data);
    at = member.next;
  }
  if (!equalBytes(buildContainer(members), bytes)) throw bad('not in the one byte form of a case');
  return members;
}

function readMember(bytes: Uint8Array, view: DataView, at: number, end: number) {
  if (at + 46 > end || view.getUint32(at, true) !== centralSignature) throw bad('damaged central directory');
  if (view.getUint16(at + 10, true) !== 0) throw bad('a member is compressed: cases are stored');
  const size = view.getUint32(at + 24, true);
  const nameLength = view.getUint16(at + 28, true);
  const offset = view.getUint32(at + 42, true);
  const next = at + 46 + nameLength;
  const start = offset + 30 + nameLength;
  if (next > end || start + size > end) throw bad('a member lies outside the file');
  const name = fromUtf8(bytes.subarray(at + 46, next));
  if (!memberName.test(name)) throw bad(`member name ${JSON.stringify(name)} is not accepted`);
  return { name, data: bytes.subarray(start, start + size), offset, end: start + size, next };
}

function bad(message: string): EvidenceError {
  return new EvidenceError('container', message);
}

const crcTable = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c >>> 0;
});

function crc32(bytes: Uint8Array): number {
  let c = 0xffffffff;
  for (let i = 0; i < bytes.length; i++) c = (crcTable[(c ^ (bytes[i] ?? 0)) & 0xff] ?? 0) ^ (c >>> 8);
  return (c ^ 0xffffffff) >>> 0;
}
