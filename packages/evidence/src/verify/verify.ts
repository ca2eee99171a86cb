import { parseTrust, type Trust } from '../log/trust.ts';
import { checkActions } from './actions.ts';
import { answer } from './answers.ts';
import { checkAuthority } from './authority.ts';
import { type Check, runChecks } from './checking.ts';
import { checkClosing } from './closing.ts';
import { checkContainer } from './container.ts';
import { checkDelegation } from './delegation.ts';
import { checkEnrolments } from './enrolments.ts';
import { checkErasures } from './erasures.ts';
import { checkEvents } from './events.ts';
import { Examination } from './examination.ts';
import { checkFindings } from './findings.ts';
import { checkKeys } from './keys.ts';
import { checkManifest } from './manifest.ts';
import { checkPayloads } from './payloads.ts';
import { checkPeople } from './people.ts';
import { checkProofs } from './proofs.ts';
import type { Report } from './report.ts';
import { checkSeries } from './series.ts';
import { checkSignatures } from './signatures.ts';
import { checkStatements } from './statements.ts';
import { checkTimestamps } from './timestamps.ts';
import { checkTrust } from './trust.ts';

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
  ['enrolments', checkEnrolments],
  ['delegation', checkDelegation],
  ['authority', checkAuthority],
  ['actions', checkActions],
  ['closing', checkClosing],
  ['events', checkEvents],
  ['findings', checkFindings],
  ['timestamps', checkTimestamps],
  ['trust', checkTrust],
];

/**
 * Verifies a case, offline.
 * @param file the bytes of a `.deed` file; untrusted
 * @param options.trust the trust file's text or what {@link parseTrust} made of it; without it nothing is better than UNANCHORED
 * @returns the verdict with every reason; it does not throw on bad cases
 * @throws EvidenceError trust, if the trust file itself cannot be read
 */
export function verify(file: Uint8Array, options: CaseOptions = {}): Report {
  return examineCase(file, options).report;
}

export interface CaseOptions {
  readonly trust?: Trust | string | undefined;
  readonly nowMs?: number;
}

/** The same, and the case as it lies on the verifier's table. @throws EvidenceError trust */
export function examineCase(
  file: Uint8Array,
  options: CaseOptions,
): { readonly exam: Examination; readonly report: Report } {
  const trust = typeof options.trust === 'string' ? parseTrust(options.trust) : options.trust;
  const exam = new Examination({ trust, nowMs: options.nowMs ?? Date.now() });
  const done = runChecks(exam, [['container', (on) => checkContainer(on, file)], ...checks]);
  return { exam, report: answer(exam, done) };
}
