import { expect } from 'vitest';
import { type Report, verdictCodes } from '../../src/verify/report.ts';
import type { Expected } from './bends.ts';
import { examine, makeCase } from './case-maker.ts';

/** Makes the bent case and expects a verdict, for a reason of the named check. */
export function expectVerdict(verdict: Report['verdict'], { bend, check, says }: Expected): Report {
  const report = examine(makeCase(bend).file);
  expect({ verdict: report.verdict, reasons: report.reasons }).toMatchObject({ verdict });
  expect(report.code).toBe(verdictCodes[verdict]);
  const said = report.reasons.filter((reason) => reason.verdict === verdict && reason.check === check);
  expect(said.map(({ message }) => message).join('\n')).toMatch(says);
  return report;
}
