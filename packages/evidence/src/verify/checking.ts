import type { Examination } from './examination.ts';
import type { CheckResult } from './report.ts';

/** Returns what it looked at in a few words, or null if the checks after it have nothing left to stand on. */
export type Check = (exam: Examination) => string | null;

/** Runs checks one after the other until one has left nothing to stand on, and says of each how it ended. */
export function runChecks(
  exam: Examination,
  checks: readonly (readonly [name: string, check: Check])[],
): readonly CheckResult[] {
  let standing = true;
  return checks.map(([name, check]): CheckResult => {
    if (!standing) return { check: name, result: 'not-reached', detail: '' };
    exam.check = name;
    const before = exam.reasons.length;
    // Untrusted parts are read inside the checks; what one of them did not foresee still is a reason and not a failure.
    const detail = exam.attempt('cannot be read', () => check(exam)) ?? null;
    standing = detail !== null;
    return { check: name, result: exam.reasons.length > before ? 'failed' : 'ok', detail: detail ?? '' };
  });
}
