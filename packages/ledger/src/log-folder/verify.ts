import { availableParallelism } from 'node:os';
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
import { LedgerError } from '../errors.ts';
import { parseTilePath, type TileName, tilePath, tileWidth } from '../tile-path.ts';
import { type Bent, Comparison, fullPath, maxListed } from './comparison.ts';
import { fileReader, filesBelow, isThere } from './log-files.ts';
import { compareRanges, rangeEntries } from './ranges.ts';
import { firstEntries } from './tile-stream.ts';

/** What the files of a published log show by themselves. */
export interface LogFolderReport {
  readonly verdict: Verdict;
  readonly code: number;
  readonly checkpoint: { readonly origin: string; readonly size: number; readonly root: string } | null;
  /** Entries that were hashed, and files that were compared. */
  readonly entries: number;
  readonly files: number;
  readonly witnesses: HeadReport['witnesses'];
  /** The worst first, and of all the first hundred. */
  readonly reasons: readonly Reason[];
  /** Files that are no part of a log: nobody reads them. The first hundred. */
  readonly strays: readonly string[];
  /** What the verdict does not say. */
  readonly limits: readonly string[];
}

export interface LogFolderOptions {
  readonly trust: Trust;
  readonly nowMs: number;
  /** Default: one for each processor. */
  readonly threads?: number;
}

/**
 * Verifies a folder with the files of a log (a mirror, a download, `DATA/log`) as anyone may: every entry is hashed, every tile
 * of every level and the root are made again and compared, and the trust file says whether the checkpoint is to be believed.
 * All files are untrusted; it does not throw on bad ones. Memory: a bundle and a few tiles for each thread, whatever the size.
 */
export async function verifyLogFolder(folder: string, options: LogFolderOptions): Promise<LogFolderReport> {
  const { trust, nowMs, threads = availableParallelism() } = options;
  const note = fileReader(folder)('checkpoint')?.toString('utf8');
  const head = note === undefined ? withoutHead : verifyHead(note, { trust, nowMs });
  const { checkpoint } = head;
  const found = checkpoint ? await compareAll(folder, checkpoint, threads) : nothing;
  const rank = ({ verdict }: Reason) => verdictOrder.indexOf(verdict);
  const reasons = [...head.reasons, ...found.reasons].sort((a, b) => rank(a) - rank(b));
  const verdict = reasons[0]?.verdict ?? 'VERIFIED';
  return {
    verdict,
    code: verdictCodes[verdict],
    checkpoint: checkpoint && { ...checkpoint, root: toHex(checkpoint.root) },
    entries: found.entries,
    files: found.files,
    witnesses: head.witnesses,
    reasons: reasons.slice(0, maxListed),
    strays: found.strays,
    limits: [
      'Entries were hashed and not opened: which statement each is of, and who might sign it, deed log audit shows.',
      ...(found.newer > 0 ? [`${found.newer} files of entries newer than the checkpoint were not looked at.`] : []),
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

interface FoundInFiles {
  readonly entries: number;
  readonly files: number;
  readonly reasons: readonly Reason[];
  readonly strays: readonly string[];
  readonly newer: number;
}

const nothing: FoundInFiles = { entries: 0, files: 0, reasons: [], strays: [], newer: 0 };

async function compareAll(folder: string, { size, root }: Checkpoint, threads: number): Promise<FoundInFiles> {
  const whole = Math.floor(size / rangeEntries);
  const there = beginningsThere(folder, whole);
  const ranges = await compareRanges(folder, there, threads);
  const all = new Comparison(folder);
  let isWhole = there === whole;
  for (const { root: subtree, entries, files, bent, reasons } of ranges) {
    all.entries += entries;
    all.files += files;
    for (const [place, one] of bent) if (all.bent.size < maxListed) all.bent.set(place, one);
    for (const { verdict, message } of reasons) all.add(verdict, message);
    isWhole &&= subtree !== null;
    if (isWhole && subtree) all.stream.appendSubtree(2, subtree);
  }
  if (there < whole) {
    all.add('INCOMPLETE', `${tilePath({ level: 'entries', index: there * tileWidth, width: tileWidth })}: absent`);
  }
  if (isWhole && all.appendEntries(whole * rangeEntries, size)) {
    const isSigned = equalBytes(all.stream.end(), root);
    if (!isSigned) all.add('FORGED', 'checkpoint: the entries give another root');
    for (const bent of all.bent.values()) blame(all, bent, isSigned);
  } else {
    for (const bent of all.bent.values()) blame(all, bent, false);
    all.add('INCOMPLETE', `the root could not be made: ${all.entries} of ${size} entries were hashed`);
  }
  const { strays, newer } = checkOthers(folder, size, all);
  return { entries: all.entries, files: all.files, reasons: all.reasons, strays, newer };
}

/** How many ranges are there at least in their beginnings. A forged size may be anything. */
function beginningsThere(folder: string, whole: number): number {
  let there = 0;
  while (there < whole && isThere(folder, { level: 'entries', index: there * tileWidth, width: tileWidth })) there++;
  return there;
}

/** Whose fault it is that a tile is not what the entries give: if these give the signed root, then not theirs. */
function blame(all: Comparison, { level, index, path, hash }: Bent, isSigned: boolean): void {
  if (isSigned || (level > 0 && hash !== null)) all.add('FORGED', `${path}: differs from what the entries give`);
  else if (hash !== null) {
    const bundle = path.replace('tile/0/', 'tile/entries/');
    all.add('FORGED', `${bundle}: entry ${index * tileWidth + hash} is not the one that ${path} has`);
  }
}

/** Beginnings that smaller sizes left behind, what is newer than the checkpoint, and what is no file of a log. */
function checkOthers(folder: string, size: number, all: Comparison): Pick<FoundInFiles, 'strays' | 'newer'> {
  const [read, readWhole] = [fileReader(folder), fileReader(folder)];
  const strays: string[] = [];
  let newer = 0;
  for (const path of filesBelow(folder)) {
    const name = parseTilePath(path);
    const entriesEach = name && (name.level === 'entries' ? 1 : tileWidth ** name.level);
    if (!name || entriesEach === undefined) {
      if (path !== 'checkpoint' && !isTemp(path) && strays.length < maxListed) strays.push(path);
    } else if ((name.index * tileWidth + name.width) * entriesEach > size) newer++;
    else if (name.width < tileWidth) {
      const last = Math.floor(size / entriesEach) - name.index * tileWidth;
      // Compared already; or what it would be compared with is bent, and was named.
      if (last === name.width || all.bent.has(`${name.level === 'entries' ? 0 : name.level}/${name.index}`)) continue;
      const whole =
        readWhole(last < tileWidth ? tilePath({ ...name, width: last }) : fullPath(name)) ?? readWhole(fullPath(name));
      all.files++;
      if (whole && !isBeginning(read(path), whole, name))
        all.add('FORGED', `${path}: is not the beginning of the full one`);
    }
  }
  return { strays, newer };
}

function isBeginning(bytes: Buffer | undefined, whole: Buffer, { level, width }: TileName): boolean {
  try {
    const beginning = level === 'entries' ? firstEntries(whole, width) : whole.subarray(0, width * treeHashBytes);
    return bytes?.equals(beginning) ?? true; // gone since it was listed
  } catch (error) {
    if (error instanceof LedgerError) return true; // the whole one is bent, and was named
    throw error;
  }
}
