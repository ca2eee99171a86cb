/** One line of a reflog (gitformat of `logs/<ref>`), with the exact bytes it was read from, newline excluded. */
export interface ReflogLine {
  readonly offset: number;
  readonly raw: Uint8Array;
  readonly old: string;
  readonly new: string;
  /** The committer as git http-backend wrote it: the authenticated user; null when it has not that form. */
  readonly user: string | null;
  /** ISO 8601; git keeps whole seconds. */
  readonly time: string;
}

const pattern = /^([0-9a-f]{40,64}) ([0-9a-f]{40,64}) (.*) <([^<>]*)> ([0-9]{1,11}) [+-][0-9]{4}(?:\t|$)/;

/** A line of a reflog, or undefined when it is none. */
export function parseReflogLine(offset: number, raw: Uint8Array): ReflogLine | undefined {
  const [, from, to, name, email, seconds] = pattern.exec(Buffer.from(raw).toString('latin1')) ?? [];
  if (from === undefined || to === undefined || seconds === undefined) return undefined;
  const user = name !== undefined && email?.startsWith(`${name}@http.`) ? name : null;
  return { offset, raw, old: from, new: to, user, time: new Date(Number(seconds) * 1000).toISOString() };
}
