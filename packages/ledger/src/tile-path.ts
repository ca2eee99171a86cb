/** Hashes in a full tile, entries in a full bundle. */
export const tileWidth = 256;

/** A tile of hashes at a level, or a bundle of entries (C2SP tlog-tiles). */
export interface TileName {
  readonly level: number | 'entries';
  readonly index: number;
  /** 1 to 255 for a partial one, 256 for a full one. */
  readonly width: number;
}

const pattern = /^tile\/(entries|0|[1-9]|[1-5][0-9]|6[0-3])\/((?:x[0-9]{3}\/)*[0-9]{3})(?:\.p\/([1-9][0-9]{0,2}))?$/;

/** Path below the log's folder: `tile/0/x001/234` or `tile/entries/000.p/17`. */
export function tilePath(name: TileName): string {
  const full = `tile/${name.level}/${indexPath(name.index)}`;
  return name.width === tileWidth ? full : `${full}.p/${name.width}`;
}

/** Reads a path in its one spelling; undefined for anything else. */
export function parseTilePath(path: string): TileName | undefined {
  const match = pattern.exec(path);
  if (!match) return undefined;
  const [, level = '', digits = '', partial] = match;
  const index = Number(digits.replaceAll(/[x/]/g, ''));
  const width = partial === undefined ? tileWidth : Number(partial);
  if (!Number.isSafeInteger(index) || (partial !== undefined && width >= tileWidth)) return undefined;
  const name: TileName = { level: level === 'entries' ? 'entries' : Number(level), index, width };
  return tilePath(name) === path ? name : undefined;
}

function indexPath(index: number): string {
  const groups: string[] = [];
  for (let rest = index; groups.length === 0 || rest > 0; rest = Math.floor(rest / 1000)) {
    groups.unshift(String(rest % 1000).padStart(3, '0'));
  }
  return groups.map((group, i) => (i === groups.length - 1 ? group : `x${group}`)).join('/');
}
