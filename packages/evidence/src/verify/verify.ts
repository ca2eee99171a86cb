import { parseTrust, type Trust } from '../log/trust.ts';
import { checkActions } from './actions.ts';
import { answer } from './answers.ts';
import { checkAuthority } from './authority.ts';
import { checkClosing } from './closing.ts';
import { checkContainer } from './container.ts';
import { checkErasures } from './erasures.ts';
import { checkEvents } from './events.ts';
import { Examination } from './examination.ts';
import { checkKeys } from './keys.ts';
import { checkManifest } from './manifest.ts';
import { checkPayloads } from './payloads.ts';
import { checkPeople } from './people.ts';
import { checkProofs } from './proofs.ts';
import type { CheckResult, Report } from './report.ts';
import { checkSeries } from './series.ts';
import { checkSignatures } from './signatures.ts';
import { checkStatements } from './statements.ts';
import { checkTrust } from './trust.ts';

/** Returns what it looked at in a few words, or null if the checks after it have nothing left to stand on. */
export type Check = (exam: Examination) => string | null;

/** The checks in the order of docs/formats/verification.md. Container and manifest take the raw file apart. */
const checks: readonly (readonly [name: string, check: Check])[] = [
  ['manifest', checkManifest],
  ['statements', checkStatements],
  ['keys', checkKeys],
  ['signatures', checkSignatures],
  ['series', checkSeries],
  ['proofs', checkProofs],
  ['erasures', checkErasures],
  ['payloads', checkPayloads],
  ['people', checkPeople],
  ['authority', checkAuthority],
  ['actions', checkActions],
  ['closing', checkClosing],
  ['events', checkEvents],
  ['trust', checkTrust],
];

/**
 * Verifies a case, offline.
 * @param file the bytes of a `.deed` file; untrusted
 * @param options.trust the trust file's text or what {@link parseTrust} made of it; without it nothing is better than UNANCHORED
 * @returns the verdict with every reason; it does not throw on bad cases
 * @throws EvidenceError trust, if the trust file itself cannot be read
 */
export function verify(
  file: Uint8Array,
  options: { readonly trust?: Trust | string | undefined; readonly nowMs?: number } = {},
): Report {
  const trust = typeof options.trust === 'string' ? parseTrust(options.trust) : options.trust;
  const exam = new Examination({ trust, nowMs: options.nowMs ?? Date.now() });
  const results: CheckResult[] = [];
  const run = (name: string, check: Check): boolean => {
    exam.check = name;
    const before = exam.reasons.length;
    // Untrusted parts are read inside the checks; what one of them did not foresee still is a reason and not a failure.
    const detail = exam.attempt('cannot be read', () => check(exam)) ?? null;
    results.push({ check: name, result: exam.reasons.length > before ? 'failed' : 'ok', detail: detail ?? '' });
    return detail !== null;
  };
  let standing = run('container', (on) => checkContainer(on, file));
  for (const [name, check] of checks) {
    if (standing) standing = run(name, check);
    else results.push({ check: name, result: 'not-reached', detail: '' });
  }
  return answer(exam, results);
}
