import type { Comparable, SourceEvent } from './source-event.ts';

/** A value of an event by its name, for instance `correlation.request`, `resource.uid`, `fields.amount`. */
export interface Pair {
  readonly name: string;
  readonly value: Comparable;
}

/** One kind of effect that an action is to have had. */
export interface ExpectedEffect {
  /** The sources that would have its record: any one of them. */
  readonly sources: readonly string[];
  readonly operations: readonly string[];
  /** How many events. `min` 0: it may leave none. */
  readonly count: { readonly min: number; readonly max: number };
  /** How long before the intent and after the outcome its events may lie, in milliseconds. */
  readonly window: { readonly beforeMs: number; readonly afterMs: number };
  /** The strongest id that the action knows of it. With one, nothing but that id is compared to find its events. */
  readonly key: readonly Pair[] | null;
  /** What must be equal besides; where the id finds an event that differs here, the result does not match. */
  readonly same: readonly Pair[];
  /** Numbers that may differ by so much. */
  readonly near: readonly (Pair & { readonly tolerance: number })[];
}

const parts = new Set(['correlation', 'resource', 'principal', 'credential', 'network']);
const plain = new Set(['operation', 'activity', 'status', 'session', 'id']);

/** True for a name that {@link valueIn} knows. */
export function isEventName(name: string): boolean {
  const dot = name.indexOf('.');
  return dot < 0
    ? plain.has(name)
    : name.length > dot + 1 && (name.startsWith('fields.') || parts.has(name.slice(0, dot)));
}

/** A value of an event by its name; undefined where the event says nothing of it. */
export function valueIn(event: SourceEvent, name: string): Comparable | undefined {
  if (name.startsWith('fields.')) return event.fields[name.slice(7)];
  const dot = name.indexOf('.');
  if (dot < 0) return event[name as 'operation' | 'activity' | 'status' | 'session' | 'id'];
  const part = event[name.slice(0, dot) as 'correlation' | 'resource' | 'principal' | 'credential' | 'network'];
  return (part as Readonly<Record<string, Comparable>> | null)?.[name.slice(dot + 1)];
}

/** Numbers and their texts are equal: systems write ids either way. Null is equal to nothing. */
export function isSame(found: Comparable | undefined, wanted: Comparable | undefined): boolean {
  return found !== undefined && found !== null && wanted !== undefined && String(found) === String(wanted);
}

/** The names of what an event has otherwise than it was expected; empty: it agrees. */
export function differences(
  event: SourceEvent,
  { same, near }: Pick<ExpectedEffect, 'same' | 'near'>,
): readonly string[] {
  const differ = same.filter(({ name, value }) => !isSame(valueIn(event, name), value));
  const far = near.filter(({ name, value, tolerance }) => {
    const found = Number(valueIn(event, name) ?? Number.NaN);
    return !(Math.abs(found - Number(value)) <= tolerance);
  });
  return [...differ, ...far].map(({ name }) => name);
}
