import { fromBase64, toBase64 } from '../encoding.ts';
import { EvidenceError } from '../errors.ts';
import { treeHashBytes } from './merkle.ts';

/** A log's head: which log, how many entries, and the root over them (C2SP tlog-checkpoint). */
export interface Checkpoint {
  readonly origin: string;
  readonly size: number;
  /** 32 bytes. */
  readonly root: Uint8Array;
}

/**
 * Reads a note's text as a checkpoint of exactly three lines. Extension lines are refused, because the ML-DSA-44
 * signature does not cover them.
 * @throws EvidenceError note
 */
export function parseCheckpoint(text: string): Checkpoint {
  const lines = text.split('\n');
  const [origin = '', sizeText = '', rootText = '', end] = lines;
  if (lines.length !== 4 || end !== '') throw new EvidenceError('note', 'a checkpoint has exactly three lines');
  if (origin === '') throw new EvidenceError('note', 'checkpoint without origin');
  const size = parseDecimal(sizeText);
  if (size === undefined) throw new EvidenceError('note', 'checkpoint size is not a decimal below 2^53');
  const root = parseTreeHash(rootText);
  if (!root) throw new EvidenceError('note', 'checkpoint root is not 32 bytes of canonical base64');
  return { origin, size, root };
}

export function formatCheckpoint(checkpoint: Checkpoint): string {
  return `${checkpoint.origin}\n${checkpoint.size}\n${toBase64(checkpoint.root)}\n`;
}

/** ASCII decimal without leading zeroes, below 2^53; undefined for anything else. */
export function parseDecimal(text: string): number | undefined {
  if (!/^(0|[1-9][0-9]{0,15})$/.test(text)) return undefined;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : undefined;
}

/** Canonical base64 of 32 bytes; undefined for anything else. */
export function parseTreeHash(text: string): Uint8Array | undefined {
  if (!/^[A-Za-z0-9+/]{43}=$/.test(text)) return undefined;
  try {
    const hash = fromBase64(text);
    return hash.length === treeHashBytes ? hash : undefined;
  } catch {
    return undefined;
  }
}
