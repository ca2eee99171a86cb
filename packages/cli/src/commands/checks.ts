import { green, print, red } from '../output.ts';

/** One thing that something needs, and whether it is there. */
export interface CheckView {
  readonly what: string;
  readonly ok: boolean;
  readonly detail: string;
}

/** Prints them, and ends with 1 if one failed. */
export function printChecks(checks: readonly CheckView[], json: boolean): void {
  print(checks, json, () =>
    checks.length === 0
      ? 'Nothing to check.'
      : checks.map(({ what, ok, detail }) => `${ok ? green('ok  ') : red('FAIL')} ${what}: ${detail}`).join('\n'),
  );
  process.exitCode = checks.every(({ ok }) => ok) ? 0 : 1;
}
