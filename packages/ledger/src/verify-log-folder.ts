import {
  type Checkpoint,
  equalBytes,
  type HeadReport,
  type Reason,
  type Trust,
  toHex,
  treeHashBytes,
  type Verdict,
  verdictCodes,
  verdictOrder,
  verifyHead,
} from '@deed/evidence';
import { isTemp } from '@deed/store';
import { LedgerError } from './errors.ts';
import { fileReader, filesBelow, isThere, namesOf } from './fsck/log-files.ts';
import { firstEntries, TileStream } from './fsck/tile-stream.ts';
import { parseTilePath, type TileName, tilePath, tileWidth } from './tile-path.ts';

/** What the files of a published log show by themselves. */
export interface LogFolderReport {
  readonly verdict: Verdict;
  readonly code: number;
  readonly checkpoint: { readonly origin: string; readonly size: number; readonly root: string } | null;
  /** Entries that were hashed, and files that were compared. */
  readonly entries: number;
  readonly files: number;
  readonly witnesses: HeadReport['witnesses'];
  /** The first hundred. */
  readonly reasons: readonly Reason[];
  /** Files that are no part of a log: nobody reads them. The first hundred. */
  readonly strays: readonly string[];
  readonly limits: readonly string[];
}

const maxListed = 100;

/**
 * Verifies a folder with the files of a log (a mirror, a download, `DATA/log`) as anyone may: every entry is hashed, every tile
 * of every level and the root are made again and compared, and the trust file says whether the checkpoint is to be believed.
 * All files are untrusted. Memory: one bundle and one tile a level, whatever the size.
 */
export function verifyLogFolder(
  folder: string,
  { trust, nowMs }: { readonly trust: Trust; readonly nowMs: number },
): LogFolderReport {
  const note = fileReader(folder)('checkpoint')?.toString('utf8');
  const head = note === undefined ? withoutHead : verifyHead(note, { trust, nowMs });
  const { checkpoint } = head;
  const found = checkpoint ? new Comparison(folder, checkpoint).run() : undefined;
  const reasons = [...head.reasons, ...(found?.reasons ?? [])];
  const verdict = verdictOrder.find((one) => reasons.some((reason) => reason.verdict === one)) ?? 'VERIFIED';
  return {
    verdict,
    code: verdictCodes[verdict],
    checkpoint: checkpoint && { ...checkpoint, root: toHex(checkpoint.root) },
    entries: found?.entries ?? 0,
    files: found?.files ?? 0,
    witnesses: head.witnesses,
    reasons: reasons.slice(0, maxListed),
    strays: found?.strays ?? [],
    limits: [
      'Entries were hashed, not opened: which statement each is of, and who might sign it, is shown by deed log audit.',
      ...(found?.limits ?? []),
      ...head.limits,
    ],
  };
}

const withoutHead: HeadReport = {
  checkpoint: null,
  witnesses: [],
  reasons: [{ verdict: 'unusable', check: 'checkpoint', message: 'checkpoint: absent; is this the folder of a log?' }],
  limits: [],
};

/** A tile whose hashes are not those that the level below gives. */
interface Bent {
  readonly level: number;
  readonly index: number;
  readonly path: string;
  /** The first hash that differs. */
  readonly hash: number;
}

class Comparison {
  private readonly folder: string;
  private readonly checkpoint: Checkpoint;
  private readonly reasons: Reason[] = [];
  private readonly bent = new Map<string, Bent>();
  private readonly readBundle: (path: string) => Buffer | undefined;
  private readonly read: (path: string) => Buffer | undefined;
  private files = 0;

  constructor(folder: string, checkpoint: Checkpoint) {
    this.folder = folder;
    this.checkpoint = checkpoint;
    this.readBundle = fileReader(folder);
    this.read = fileReader(folder);
  }

  run(): Pick<LogFolderReport, 'entries' | 'files' | 'reasons' | 'strays' | 'limits'> {
    const { size, root } = this.checkpoint;
    const stream = new TileStream((tile, hashes) => this.compareTile(tile, hashes));
    let entries = 0;
    while (entries < size) {
      const index = entries / tileWidth;
      const bundle: TileName = { level: 'entries', index, width: Math.min(tileWidth, size - entries) };
      if (!this.appendBundle(stream, bundle)) break;
      entries += bundle.width;
    }
    if (entries === size) {
      const isSigned = equalBytes(stream.end(), root);
      if (!isSigned) this.add('FORGED', 'checkpoint: the entries give another root');
      for (const bent of this.bent.values()) this.blame(bent, isSigned);
    } else this.nameMissing(entries);
    const { strays, newer } = this.others();
    const limits = newer > 0 ? [`${newer} files of entries newer than the checkpoint were not looked at.`] : [];
    return { entries, files: this.files, reasons: this.reasons, strays, limits };
  }

  /** False if the tree cannot go on after it. */
  private appendBundle(stream: TileStream, name: TileName): boolean {
    const path = tilePath(name);
    const exact = this.readBundle(path);
    const bytes = exact ?? this.readBundle(fullPath(name));
    if (!bytes) return false;
    try {
      const entries = firstEntries(bytes, name.width);
      if (exact && entries.length < bytes.length)
        throw new LedgerError('damaged', `holds more than ${name.width} entries`);
      this.files++;
      for (const partial of namesOf(this.folder, name)) {
        if (partial.width < name.width) this.compare(partial, firstEntries(entries, partial.width));
      }
      stream.append(entries);
      return true;
    } catch (error) {
      if (!(error instanceof LedgerError)) throw error;
      this.add('FORGED', `${path}: ${error.message}`);
      return false;
    }
  }

  private compareTile(tile: TileName & { readonly level: number }, hashes: Buffer): void {
    const path = tilePath(tile);
    const bytes = this.read(path) ?? this.read(fullPath(tile))?.subarray(0, hashes.length);
    if (bytes) {
      this.files++;
      if (!bytes.equals(hashes)) this.note(tile, path, bytes, hashes);
    } else this.add('INCOMPLETE', `${path}: absent`);
    for (const partial of namesOf(this.folder, tile)) {
      if (partial.width < tile.width) this.compare(partial, hashes.subarray(0, partial.width * treeHashBytes));
    }
  }

  /** A beginning of a bundle or tile, which a smaller size of the log left behind. */
  private compare(name: TileName, expected: Buffer): void {
    const path = tilePath(name);
    this.files++;
    if (!this.read(path)?.equals(expected)) this.add('FORGED', `${path}: is not the beginning of the full one`);
  }

  /** A tile above a bent one differs at its place too: that is no second fault. */
  private note(
    { level, index }: TileName & { readonly level: number },
    path: string,
    bytes: Buffer,
    hashes: Buffer,
  ): void {
    if (this.bent.size >= maxListed) return;
    const differs = (i: number) => {
      const [from, end] = [i * treeHashBytes, (i + 1) * treeHashBytes];
      return Buffer.compare(bytes.subarray(from, end), hashes.subarray(from, end)) !== 0;
    };
    const isOwn = (i: number) => !this.bent.has(`${level - 1}/${index * tileWidth + i}`);
    const places = Array.from({ length: hashes.length / treeHashBytes }, (_, i) => i).filter(differs);
    const hash = places.length === 0 ? tileWidth : (places.find(isOwn) ?? -1);
    this.bent.set(`${level}/${index}`, { level, index, path, hash });
  }

  /** Whose fault it is that a tile is not what the entries give: the signed root tells, if the entries give that. */
  private blame({ level, index, path, hash }: Bent, isSigned: boolean): void {
    if (hash < 0 && !isSigned) return;
    if (isSigned || level > 0 || hash === tileWidth) this.add('FORGED', `${path}: differs from what the entries give`);
    else {
      const bundle = tilePath({ level: 'entries', index, width: tileWidth });
      this.add('FORGED', `${bundle}: entry ${index * tileWidth + hash} is not the one that ${path} holds`);
    }
  }

  private nameMissing(from: number): void {
    const { size } = this.checkpoint;
    for (let at = from; at < size && this.reasons.length < maxListed; at += tileWidth) {
      const name: TileName = { level: 'entries', index: at / tileWidth, width: Math.min(tileWidth, size - at) };
      if (!isThere(this.folder, name) && !isThere(this.folder, { ...name, width: tileWidth }))
        this.add('INCOMPLETE', `${tilePath(name)}: absent`);
    }
    this.add('INCOMPLETE', `the tree was compared up to entry ${from} of ${size}`);
  }

  private others(): { readonly strays: readonly string[]; readonly newer: number } {
    const strays: string[] = [];
    let newer = 0;
    for (const path of filesBelow(this.folder)) {
      const name = parseTilePath(path);
      if (name && this.isNewer(name)) newer++;
      else if (!name && path !== 'checkpoint' && !isTemp(path) && strays.length < maxListed) strays.push(path);
    }
    return { strays, newer };
  }

  private isNewer({ level, index, width }: TileName): boolean {
    const each = level === 'entries' ? 1 : tileWidth ** level;
    return (index * tileWidth + width) * each > this.checkpoint.size;
  }

  private add(verdict: Reason['verdict'], message: string): void {
    if (this.reasons.length < maxListed) this.reasons.push({ verdict, check: 'files', message });
  }
}

/** A copy that is newer than its checkpoint may have the full tile in the place of the incomplete one. */
function fullPath(name: TileName): string {
  return tilePath({ ...name, width: tileWidth });
}
