import { type Reason, treeHashBytes } from '@deed/evidence';
import { LedgerError } from '../errors.ts';
import { type TileName, tilePath, tileWidth } from '../tile-path.ts';
import { fileReader, isThere } from './log-files.ts';
import { firstEntries, TileStream } from './tile-stream.ts';

export const maxListed = 100;

/** A tile whose hashes are not those that the level below gives. */
export interface Bent {
  readonly level: number;
  readonly index: number;
  readonly path: string;
  /** The first hash that differs and is not explained by a bent tile below; null if all are. */
  readonly hash: number | null;
}

type HashTile = TileName & { readonly level: number };

/**
 * The files of a log, from some entry on, beside the tree that its bundles give. Every file is untrusted. Memory: one bundle,
 * and one tile a level.
 */
export class Comparison {
  readonly stream: TileStream;
  readonly reasons: Reason[] = [];
  readonly bent = new Map<string, Bent>();
  entries = 0;
  files = 0;
  private readonly folder: string;
  private readonly readBundle: (path: string) => Buffer | undefined;
  private readonly readTile: (path: string) => Buffer | undefined;

  constructor(folder: string, first = 0) {
    this.folder = folder;
    this.readBundle = fileReader(folder);
    this.readTile = fileReader(folder);
    this.stream = new TileStream((tile, hashes) => this.compare(tile, hashes), first);
  }

  /** Appends the entries from `first`, the first of a bundle, to before `end`. False if one cannot be had. */
  appendEntries(first: number, end: number): boolean {
    for (let at = first; at < end; at += tileWidth) {
      const name: TileName = { level: 'entries', index: at / tileWidth, width: Math.min(tileWidth, end - at) };
      if (!this.appendBundle(name)) {
        this.nameAbsent(at + tileWidth, end);
        return false;
      }
      this.entries += name.width;
    }
    return true;
  }

  /** The first hundred of each verdict: many of a lesser one must not hide a worse. */
  add(verdict: Reason['verdict'], message: string): void {
    const same = this.reasons.filter((reason) => reason.verdict === verdict);
    if (same.length < maxListed) this.reasons.push({ verdict, check: 'files', message });
  }

  private appendBundle(name: TileName): boolean {
    const path = tilePath(name);
    const exact = this.readBundle(path);
    const bytes = exact ?? this.readBundle(fullPath(name));
    if (!bytes) {
      this.add('INCOMPLETE', `${path}: absent`);
      return false;
    }
    this.files++;
    try {
      const entries = firstEntries(bytes, name.width);
      if (exact && entries.length < bytes.length)
        throw new LedgerError('damaged', `has more than ${name.width} entries`);
      this.stream.append(entries);
      return true;
    } catch (error) {
      if (!(error instanceof LedgerError)) throw error;
      this.add('FORGED', `${path}: ${error.message}`);
      return false;
    }
  }

  private nameAbsent(from: number, end: number): void {
    for (let at = from; at < end && this.reasons.length < maxListed; at += tileWidth) {
      const name: TileName = { level: 'entries', index: at / tileWidth, width: Math.min(tileWidth, end - at) };
      if (!isThere(this.folder, name) && !isThere(this.folder, { ...name, width: tileWidth })) {
        this.add('INCOMPLETE', `${tilePath(name)}: absent`);
      }
    }
  }

  private compare(tile: HashTile, hashes: Buffer): void {
    const path = tilePath(tile);
    const bytes = this.readTile(path) ?? this.readTile(fullPath(tile))?.subarray(0, hashes.length);
    if (!bytes) this.add('INCOMPLETE', `${path}: absent`);
    else {
      this.files++;
      if (!bytes.equals(hashes) && this.bent.size < maxListed) this.noteBent(tile, path, bytes, hashes);
    }
  }

  private noteBent({ level, index }: HashTile, path: string, bytes: Buffer, hashes: Buffer): void {
    const place = (i: number) => [i * treeHashBytes, (i + 1) * treeHashBytes] as const;
    const differing = Array.from({ length: hashes.length / treeHashBytes }, (_, i) => i).filter(
      (i) => !bytes.subarray(...place(i)).equals(hashes.subarray(...place(i))),
    );
    const own = differing.find((i) => !this.bent.has(`${level - 1}/${index * tileWidth + i}`));
    // Too many bytes, and nothing else, is its own fault too.
    const hash = own ?? (differing.length === 0 ? 0 : null);
    this.bent.set(`${level}/${index}`, { level, index, path, hash });
  }
}

/** A copy that is newer than its checkpoint may have the full tile in the place of the incomplete one. */
export function fullPath(name: TileName): string {
  return tilePath({ ...name, width: tileWidth });
}
