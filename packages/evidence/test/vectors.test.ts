import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { verdictCodes } from '../src/verify/report.ts';
import { verify } from '../src/verify/verify.ts';
import { readVector, type Vector, vectorForm, vectorNames, vectorsFolder, wronglySaid } from './support/vector.ts';

const names = vectorNames();
const vectors = new Map(names.map((name) => [name, readVector(name)]));
const verdictOf = (name: string) => vectors.get(name)?.expected.verdict ?? '';

describe('the vectors', () => {
  it('get the verdict, the code and the checks that they say: a spread sample here, all of them in vectors.real.test.ts', () => {
    const sample = [...vectors].filter((_, i) => i % 5 === 0);
    expect(sample.length).toBeGreaterThan(50);
    expect(sample.flatMap(([name, vector]) => wronglySaid(name, vector))).toEqual([]);
  });

  it('are at least 150, a third of them honest, and none twice', () => {
    expect(names.length).toBeGreaterThanOrEqual(150);
    const honest = names.filter((name) => verdictOf(name) === 'VERIFIED');
    expect(honest.length * 3).toBeGreaterThanOrEqual(names.length);
    const files = new Set(
      [...vectors.values()].map(({ file, trust, nowMs, leaf, statement, artifact }) =>
        JSON.stringify([file, trust, nowMs, leaf, statement, artifact]),
      ),
    );
    expect(files.size).toBe(names.length);
  });

  it('lie in the folder of their verdict, and say in a sentence what they are', () => {
    for (const [name, { what, expected }] of vectors) {
      expect(name).toMatch(/^[a-z]+\/[a-z0-9]+(-[a-z0-9]+)*\.json$/);
      expect(name.split('/')[0]).toBe(expected.verdict.toLowerCase());
      expect(expected.code).toBe(verdictCodes[expected.verdict]);
      expect([name, what]).toEqual([name, expect.stringMatching(/^[A-Z].*\.$/)]);
    }
  });

  it('hold each verdict of each kind of file, and each check of a case', () => {
    for (const kind of ['case', 'receipt', 'tlog-proof'] as const) {
      const verdicts = [...vectors.values()]
        .filter((vector) => vector.kind === kind)
        .map(({ expected }) => expected.verdict);
      expect([kind, [...new Set(verdicts)].sort()]).toEqual([kind, Object.keys(verdictCodes).sort()]);
    }
    const cases = [...vectors.values()].filter(({ kind }) => kind === 'case');
    const failed = new Set(cases.flatMap(({ expected }) => expected.checks));
    expect([...failed].sort()).toEqual(
      verify(new Uint8Array())
        .checks.map(({ check }) => check)
        .sort(),
    );
  });

  it('hold for each check of verification.md each verdict that it says the check can give', () => {
    const page = readFileSync(join(vectorsFolder, '../docs/formats/verification.md'), 'utf8');
    const rows = [...page.matchAll(/^\| `([a-z]+)` \| .* \| ([A-Za-z, ]+) \|$/gm)];
    expect(rows.length).toBe(19);
    const missing = rows.flatMap(([, check = '', verdicts = '']) =>
      verdicts
        .split(', ')
        .filter((verdict) => !isThere(check, verdict))
        .map((verdict) => `${check}: ${verdict}`),
    );
    expect(missing).toEqual([]);
  });

  it('are small', () => {
    const bytes = names.reduce((sum, name) => sum + statSync(join(vectorsFolder, name)).size, 0);
    expect(bytes).toBeLessThan(14_000_000);
  });

  it('are refused with a member that nobody knows', () => {
    const [first] = vectors.values();
    expect(vectorForm.safeParse(first).success).toBe(true);
    expect(vectorForm.safeParse({ ...first, more: 1 }).success).toBe(false);
    expect(vectorForm.safeParse({ ...first, expected: { ...first?.expected, more: 1 } }).success).toBe(false);
  });
});

function isThere(check: string, verdict: string): boolean {
  const fits = ({ kind, expected }: Vector) =>
    kind === 'case' && expected.verdict === verdict && expected.checks.includes(check);
  return [...vectors.values()].some(fits);
}
