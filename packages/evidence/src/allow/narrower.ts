import type { Allow, AllowEntry } from './allow.ts';
import { isNarrower } from './constraint.ts';
import { isWithin } from './path.ts';

/**
 * True if whatever `inner` admits, `outer` admits: each entry of it is narrower than one of the other. Decided by form alone, so it
 * may be false for two that admit the same, and is never true wrongly. Counts: entries under one outer entry share its count.
 */
export function isNarrowerAllow(inner: Allow, outer: Allow): boolean {
  const left = outer.map(({ maxCount }) => maxCount ?? Number.POSITIVE_INFINITY);
  return inner.every((entry) => {
    const found = outer.findIndex(
      (wide, i) =>
        isNarrowerEntry(entry, wide) && (wide.maxCount === undefined || (entry.maxCount ?? Infinity) <= (left[i] ?? 0)),
    );
    if (found < 0) return false;
    left[found] = (left[found] ?? 0) - (outer[found]?.maxCount === undefined ? 0 : (entry.maxCount ?? 0));
    return true;
  });
}

function isNarrowerEntry(inner: AllowEntry, outer: AllowEntry): boolean {
  return (
    inner.server === outer.server &&
    isSubset(inner.tools, outer.tools) &&
    isSubset(inner.methods, outer.methods) &&
    (inner.paths?.under.every((path) => outer.paths?.under.some((wide) => isWithin(path, wide))) ?? true) &&
    (!inner.git ||
      (isSubset(inner.git.repositories, outer.git?.repositories ?? []) &&
        isSubset(inner.git.refs, outer.git?.refs ?? []))) &&
    areNarrowerArguments(inner, outer)
  );
}

/** Absent: each. */
function isSubset(inner: readonly string[] | undefined, outer: readonly string[] | undefined): boolean {
  return outer === undefined || (inner?.every((each) => outer.includes(each)) ?? false);
}

function areNarrowerArguments(inner: AllowEntry, outer: AllowEntry): boolean {
  if (!outer.arguments) return true;
  const { arguments: named } = inner;
  if (!named) return false;
  const open = outer.otherArguments === 'allowed';
  if (
    !open &&
    (inner.otherArguments === 'allowed' || Object.keys(named).some((key) => !Object.hasOwn(outer.arguments ?? {}, key)))
  ) {
    return false;
  }
  return Object.entries(outer.arguments).every(([key, by]) => {
    const own = Object.hasOwn(named, key) ? named[key] : undefined;
    return own !== undefined && isNarrower(own, by);
  });
}
