import type { RefUpdate, ReportStatus } from './receive-pack.ts';

/** What may pass, once: exactly these updates of this repository. */
export interface AllowedPush {
  /** Name at the forge, without `.git`. */
  readonly repository: string;
  readonly updates: readonly RefUpdate[];
}

/**
 * `ok` and `rejected` are the forge's own word. `unknown`: the push was sent on and no word came back.
 * `not-sent`: nothing reached the forge under this window.
 */
export type PushStatus = 'ok' | 'rejected' | 'unknown' | 'not-sent';

export interface PushedRef extends RefUpdate {
  readonly status: PushStatus;
  readonly message?: string;
}

export interface PushReport {
  readonly repository: string;
  readonly updates: readonly PushedRef[];
  /** The forge's `unpack` line ("ok" when the pack was stored), null without a report. */
  readonly unpack: string | null;
  /** The forge's own id of the request (X-Request-Id), null without an answer. */
  readonly requestId: string | null;
  readonly httpStatus: number | null;
}

/** Says how a push differs from what is allowed, or undefined when it is the same. Order of refs does not matter. */
export function differenceFrom(
  allowed: AllowedPush,
  repository: string,
  asked: readonly RefUpdate[],
): string | undefined {
  if (repository !== allowed.repository) return `repository ${repository} instead of ${allowed.repository}`;
  for (const update of asked) {
    const match = allowed.updates.find((one) => one.ref === update.ref);
    if (match === undefined) return `${update.ref} is not among the approved refs`;
    if (match.old !== update.old) return `${update.ref} moves from ${update.old} instead of ${match.old}`;
    if (match.new !== update.new) return `${update.ref} moves to ${update.new} instead of ${match.new}`;
  }
  const missing = allowed.updates.find((one) => !asked.some((update) => update.ref === one.ref));
  return missing && `${missing.ref} is approved but missing from the push`;
}

export interface ForgeAnswer {
  readonly httpStatus: number | null;
  readonly requestId: string | null;
  readonly report?: ReportStatus | undefined;
  readonly message?: string;
}

/** Answers that a forge gives before it applies anything. */
const refusedBefore = [400, 401, 403, 404, 405, 411, 413, 415, 429];

/**
 * What is known about each ref after the forge answered, or did not. A report that leaves a ref out, or says that it
 * was changed to something else, is `unknown`. Any failure but those of `refusedBefore` is `unknown`.
 */
export function reportOf(allowed: AllowedPush, answer: ForgeAnswer): PushReport {
  const { httpStatus, requestId, report, message } = answer;
  const refused = httpStatus !== null && refusedBefore.includes(httpStatus);
  const updates = allowed.updates.map((update): PushedRef => {
    const named = report?.refs.filter((one) => one.ref === update.ref) ?? [];
    const one = named[0];
    if (one === undefined || named.length !== 1) {
      return { ...update, status: refused ? 'rejected' : 'unknown', ...(message === undefined ? {} : { message }) };
    }
    const changed = one.options.find((option) => !sameAsAsked(option, update));
    if (one.ok && report?.unpack !== 'ok') return { ...update, status: 'unknown', message: 'the pack was not stored' };
    if (one.ok && changed !== undefined) return { ...update, status: 'unknown', message: `the forge says: ${changed}` };
    return {
      ...update,
      status: one.ok ? 'ok' : 'rejected',
      ...(one.message === undefined ? {} : { message: one.message }),
    };
  });
  return { repository: allowed.repository, updates, unpack: report?.unpack ?? null, requestId, httpStatus };
}

function sameAsAsked(option: string, update: RefUpdate): boolean {
  const same = [`refname ${update.ref}`, `old-oid ${update.old}`, `new-oid ${update.new}`, 'forced-update'];
  return same.includes(option);
}

export function notSent(allowed: AllowedPush, message: string): PushReport {
  const updates = allowed.updates.map((update): PushedRef => ({ ...update, status: 'not-sent', message }));
  return { repository: allowed.repository, updates, unpack: null, requestId: null, httpStatus: null };
}
