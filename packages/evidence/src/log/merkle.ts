import { equalBytes } from '../encoding.ts';
import { EvidenceError } from '../errors.ts';
import { sha256 } from '../platform.ts';

/** Every hash of the tree is SHA-256: 32 bytes. */
export const treeHashBytes = 32;
/** More than any tree of 2^53 leaves needs; longer proofs are refused before they are hashed. */
export const maxProofHashes = 63;

const leafPrefix = Uint8Array.of(0);
const nodePrefix = Uint8Array.of(1);

/** Hash of one entry (RFC 6962 section 2.1). */
export function leafHash(entry: Uint8Array): Uint8Array {
  return sha256(leafPrefix, entry);
}

export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  return sha256(nodePrefix, left, right);
}

/** Root of the tree without entries: SHA-256 of nothing. */
export function emptyRoot(): Uint8Array {
  return sha256();
}

/** Reads the hash of a complete subtree: 2^level leaves, the first of which is leaf index * 2^level. */
export type NodeReader = (level: number, index: number) => Uint8Array;

/** A reader over leaf hashes held in memory; inner hashes are computed once. */
export function memoryTree(leafHashes: readonly Uint8Array[]): NodeReader {
  const levels: (Uint8Array | undefined)[][] = [[...leafHashes]];
  const read: NodeReader = (level, index) => {
    levels[level] ??= [];
    const known = levels[level]?.[index];
    if (known) return known;
    if (level === 0) throw new EvidenceError('proof', `leaf ${index} is outside the tree of ${leafHashes.length}`);
    const hash = nodeHash(read(level - 1, index * 2), read(level - 1, index * 2 + 1));
    const row = levels[level] ?? [];
    row[index] = hash;
    levels[level] = row;
    return hash;
  };
  return read;
}

/** Root of the first `size` leaves. @throws EvidenceError proof (size is not a size) */
export function rootOf(read: NodeReader, size: number): Uint8Array {
  checkSize(size);
  return size === 0 ? emptyRoot() : range(read, 0, size);
}

/** Root over leaf hashes held in memory: for small trees such as one ingested batch. */
export function rootFromLeaves(leafHashes: readonly Uint8Array[]): Uint8Array {
  return rootOf(memoryTree(leafHashes), leafHashes.length);
}

/** Path of a leaf to the root of the first `size` leaves, leaf sibling first. @throws EvidenceError proof */
export function inclusionProofFrom(read: NodeReader, index: number, size: number): readonly Uint8Array[] {
  checkSize(size);
  if (!Number.isSafeInteger(index) || index < 0 || index >= size) {
    throw new EvidenceError('proof', `index ${index} is outside the tree of ${size}`);
  }
  const proof: Uint8Array[] = [];
  const walk = (start: number, end: number): void => {
    if (end - start === 1) return;
    const middle = start + splitOf(end - start);
    if (index < middle) {
      walk(start, middle);
      proof.push(range(read, middle, end));
    } else {
      walk(middle, end);
      proof.push(range(read, start, middle));
    }
  };
  walk(0, size);
  return proof;
}

/** Proof that the tree of `oldSize` is the beginning of the tree of `newSize`. @throws EvidenceError proof */
export function consistencyProofFrom(read: NodeReader, oldSize: number, newSize: number): readonly Uint8Array[] {
  checkSize(oldSize);
  checkSize(newSize);
  if (oldSize > newSize) throw new EvidenceError('proof', `old size ${oldSize} is above new size ${newSize}`);
  if (oldSize === 0 || oldSize === newSize) return [];
  const proof: Uint8Array[] = [];
  const walk = (start: number, end: number, isOldRoot: boolean): void => {
    if (end === oldSize) {
      if (!isOldRoot) proof.push(range(read, start, end));
      return;
    }
    const middle = start + splitOf(end - start);
    if (oldSize <= middle) {
      walk(start, middle, isOldRoot);
      proof.push(range(read, middle, end));
    } else {
      walk(middle, end, false);
      proof.push(range(read, start, middle));
    }
  };
  walk(0, newSize, true);
  return proof;
}

export function inclusionProof(leafHashes: readonly Uint8Array[], index: number): readonly Uint8Array[] {
  return inclusionProofFrom(memoryTree(leafHashes), index, leafHashes.length);
}

export function consistencyProof(leafHashes: readonly Uint8Array[], oldSize: number): readonly Uint8Array[] {
  return consistencyProofFrom(memoryTree(leafHashes), oldSize, leafHashes.length);
}

export interface InclusionClaim {
  readonly index: number;
  readonly size: number;
  readonly leafHash: Uint8Array;
  readonly proof: readonly Uint8Array[];
  readonly root: Uint8Array;
}

/** RFC 9162 section 2.1.3.2 on untrusted input: false for anything that is not exactly the proof. */
export function verifyInclusion(claim: InclusionClaim): boolean {
  const { index, size, proof } = claim;
  if (!isSize(index) || !isSize(size) || index >= size) return false;
  if (!areHashes([claim.leafHash, claim.root, ...proof])) return false;
  let at = index;
  let last = size - 1;
  let hash = claim.leafHash;
  for (const sibling of proof) {
    if (last === 0) return false;
    if (isOdd(at) || at === last) {
      hash = nodeHash(sibling, hash);
      while (!isOdd(at) && at !== 0) {
        at = half(at);
        last = half(last);
      }
    } else hash = nodeHash(hash, sibling);
    at = half(at);
    last = half(last);
  }
  return last === 0 && equalBytes(hash, claim.root);
}

export interface ConsistencyClaim {
  readonly oldSize: number;
  readonly newSize: number;
  readonly oldRoot: Uint8Array;
  readonly newRoot: Uint8Array;
  readonly proof: readonly Uint8Array[];
}

/** RFC 9162 section 2.1.4.2 on untrusted input. An empty old tree is consistent with every tree, by an empty proof. */
export function verifyConsistency(claim: ConsistencyClaim): boolean {
  const { oldSize, newSize, oldRoot, newRoot, proof } = claim;
  if (!isSize(oldSize) || !isSize(newSize) || oldSize > newSize) return false;
  if (!areHashes([oldRoot, newRoot, ...proof])) return false;
  if (oldSize === 0 && !equalBytes(oldRoot, emptyRoot())) return false;
  if (oldSize === newSize) return proof.length === 0 && equalBytes(oldRoot, newRoot);
  if (oldSize === 0) return proof.length === 0;
  const [first, ...rest] = isPowerOfTwo(oldSize) ? [oldRoot, ...proof] : proof;
  if (!first) return false;
  let at = oldSize - 1;
  let last = newSize - 1;
  while (isOdd(at)) {
    at = half(at);
    last = half(last);
  }
  let oldHash = first;
  let newHash = first;
  for (const sibling of rest) {
    if (last === 0) return false;
    if (isOdd(at) || at === last) {
      oldHash = nodeHash(sibling, oldHash);
      newHash = nodeHash(sibling, newHash);
      while (!isOdd(at) && at !== 0) {
        at = half(at);
        last = half(last);
      }
    } else newHash = nodeHash(newHash, sibling);
    at = half(at);
    last = half(last);
  }
  return last === 0 && equalBytes(oldHash, oldRoot) && equalBytes(newHash, newRoot);
}

function range(read: NodeReader, start: number, end: number): Uint8Array {
  const count = end - start;
  const level = isPowerOfTwo(count) ? Math.log2(count) : -1;
  if (level >= 0) return read(level, start / count);
  const middle = start + splitOf(count);
  return nodeHash(range(read, start, middle), range(read, middle, end));
}

/** The largest power of two below `count`. Sizes pass 2^32, so no bit operators here or below. */
function splitOf(count: number): number {
  let split = 1;
  while (split * 2 < count) split *= 2;
  return split;
}

function isPowerOfTwo(count: number): boolean {
  let power = 1;
  while (power < count) power *= 2;
  return power === count;
}

function isOdd(value: number): boolean {
  return value % 2 === 1;
}

function half(value: number): number {
  return Math.floor(value / 2);
}

function isSize(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function checkSize(size: number): void {
  if (!isSize(size)) throw new EvidenceError('proof', `${size} is not a tree size`);
}

function areHashes(hashes: readonly Uint8Array[]): boolean {
  return hashes.length <= maxProofHashes + 2 && hashes.every((hash) => hash.length === treeHashBytes);
}
