import { createHash } from 'node:crypto';
import { closeSync, existsSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { parseStrictJson, utf8 } from '@deed/evidence';
import { isTemp, replace } from '@deed/store';
import { z } from 'zod';
import { ServerError } from '../errors.ts';

export const manifestFile = 'manifest.json';
/** Stands in the folder from before the first change to it until all is on the disk. */
export const incompleteFile = 'INCOMPLETE';

const listed = z.strictObject({
  path: z.string().regex(/^[A-Za-z0-9_][A-Za-z0-9._-]*(\/[A-Za-z0-9_][A-Za-z0-9._-]*)*$/),
  sizeBytes: z.number().int().min(0),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});
const schema = z.strictObject({
  v: z.literal(1),
  what: z.enum(['data', 'keys']),
  origin: z.string().min(1).max(255),
  made: z.iso.datetime(),
  /** Entries in the copied database, and how many of them its newest checkpoint covers. */
  entries: z.number().int().min(0),
  published: z.number().int().min(0),
  files: z.array(listed),
});
export type Manifest = z.infer<typeof schema>;
export type ListedFile = z.infer<typeof listed>;

/** @throws ServerError backup (none, incomplete, or not in form) */
export function readManifest(folder: string, what: Manifest['what']): Manifest {
  if (existsSync(join(folder, incompleteFile))) {
    throw new ServerError('backup', `${folder} is incomplete: its backup did not end. Run the same deed backup again`);
  }
  let manifest: Manifest;
  try {
    manifest = schema.parse(parseStrictJson(readFileSync(join(folder, manifestFile))).value);
  } catch (cause) {
    throw new ServerError('backup', `${folder} is no backup, or its ${manifestFile} is damaged; use another`, {
      cause,
    });
  }
  if (manifest.what === what) return manifest;
  throw new ServerError('backup', `${folder} is a backup of ${manifest.what}, not of ${what}`);
}

export function writeManifest(folder: string, manifest: Manifest): void {
  replace(join(folder, manifestFile), utf8(`${JSON.stringify(schema.parse(manifest), null, 1)}\n`));
}

/** Lists what is in the folder. What `known` lists at the same size is believed to be the same where `isImmutable` says so. */
export function listFolder(
  folder: string,
  known: readonly ListedFile[] = [],
  isImmutable: (path: string) => boolean = () => false,
): readonly ListedFile[] {
  const before = new Map(known.map((file) => [file.path, file]));
  return filesIn(folder)
    .filter((path) => path !== manifestFile && path !== incompleteFile)
    .map((path) => (isImmutable(path) ? before.get(path) : undefined) ?? { path, ...digestFile(join(folder, path)) });
}

/** Paths of the files below a folder, sorted, without what a write left behind. */
export function filesIn(folder: string): readonly string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((item) => item.isFile() && !isTemp(item.name))
    .map((item) => relative(folder, join(item.parentPath, item.name)).split(sep).join('/'))
    .sort();
}

/** In pieces: a database may be larger than the memory. */
function digestFile(path: string): { readonly sizeBytes: number; readonly sha256: string } {
  const hash = createHash('sha256');
  const piece = Buffer.alloc(1024 * 1024);
  const handle = openSync(path, 'r');
  try {
    let sizeBytes = 0;
    for (let read = readSync(handle, piece); read > 0; read = readSync(handle, piece)) {
      hash.update(piece.subarray(0, read));
      sizeBytes += read;
    }
    return { sizeBytes, sha256: hash.digest('hex') };
  } finally {
    closeSync(handle);
  }
}
