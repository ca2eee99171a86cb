import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { type ActionRecord, type Json, parseStrictJson, plainLine, sha256, toHex } from '@deed/evidence';
import { createTwoFilesPatch } from 'diff';

/** What an action's files hold before it: a line each, and what would change where the arguments say it. */
export interface ResourceState {
  /** In the order of the operands: what the file is now. Two states are the same if these are. */
  readonly files: readonly string[];
  /** Lines of a unified diff; empty where the tool does not say what it would write. */
  readonly change: readonly string[];
}

const maxFiles = 16;
const maxBytes = 1024 * 1024;
const maxDiffLines = 400;

/** Reads what the record's paths hold now. What cannot be read is said to be so. */
export async function readState(record: ActionRecord): Promise<ResourceState> {
  const { operands } = record;
  if (operands.kind !== 'paths') return { files: [], change: [] };
  const paths = operands.paths.slice(0, maxFiles).map(({ real }) => real);
  const contents = await Promise.all(paths.map(readRegular));
  const files = contents.map((content) => (typeof content === 'string' ? content : described(content)));
  const [first, ...others] = [...new Set(paths)];
  const [content] = contents;
  const wanted = contentOf(record.arguments);
  if (first === undefined || others.length > 0 || wanted === null || content === undefined)
    return { files, change: [] };
  return { files, change: changeOf(first, content, wanted) };
}

export function isSameState(a: ResourceState, b: ResourceState): boolean {
  return a.files.join('\n') === b.files.join('\n');
}

/** The bytes of a regular file, or what else is there in words. */
async function readRegular(path: string): Promise<Uint8Array | string> {
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const stat = await file.stat();
      if (stat.isDirectory()) return 'a folder';
      if (!stat.isFile()) return 'no regular file';
      if (stat.size > maxBytes) return `a file of ${stat.size} bytes, changed last ${stat.mtime.toISOString()}`;
      return await file.readFile();
    } finally {
      await file.close();
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' ? 'nothing' : `not readable (${code ?? 'unknown'})`;
  }
}

function described(bytes: Uint8Array): string {
  return `a file of ${bytes.length} bytes, sha256 ${toHex(sha256(bytes))}`;
}

/** What a tool that takes `content` would write whole: the convention of file servers. */
function contentOf(text: string): string | null {
  const value: Json = parseStrictJson(text).value;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  const { content } = value as { readonly content?: Json };
  return typeof content === 'string' ? content : null;
}

function changeOf(path: string, now: Uint8Array | string, wanted: string): readonly string[] {
  if (typeof now === 'string' && now !== 'nothing') return [];
  const old = typeof now === 'string' ? '' : textOf(now);
  if (old === null) return ['(what is there now is not text)'];
  if (old === wanted) return ['(no change)'];
  const name = plainLine(path);
  const patch = createTwoFilesPatch(name, name, old, wanted, 'now', 'then', { context: 3 });
  const lines = patch
    .split('\n')
    .slice(1)
    .filter((line) => line !== '')
    .map(plainLine);
  const more = lines.length - maxDiffLines;
  return more > 0 ? [...lines.slice(0, maxDiffLines), `(and ${more} lines more: see the arguments)`] : lines;
}

function textOf(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}
