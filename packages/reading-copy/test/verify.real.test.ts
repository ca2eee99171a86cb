import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { Report } from '@deed/evidence';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { proves } from '../../../tests/promises.ts';
import type { KeptCase } from '../../evidence/test/support/case-maker.ts';
import { bundleScript } from '../src/bundle.ts';
import { hasChromium, startChromium } from './chromium.ts';

const root = resolve(import.meta.dirname, '..', '..', '..');
const evidence = join(root, 'packages', 'evidence');
const folder = mkdtempSync(join(tmpdir(), 'deed-cases-'));
/** The tests of verify(), whose every case is judged once more in the browser; single turned bits by the hundred only if there is time. */
const deep = process.env.SLOW === '1';

/** Lets the tests of verify() run and keep what they verified. */
async function bentCases(): Promise<KeptCase[]> {
  const tests = readdirSync(join(evidence, 'test', 'verify'))
    .filter((name) => name.endsWith('.test.ts') && (deep || name !== 'tamper.test.ts'))
    .map((name) => `packages/evidence/test/verify/${name}`);
  const vitest = ['--conditions=deed-source', join(root, 'node_modules', 'vitest', 'vitest.mjs'), 'run'];
  await promisify(execFile)(process.execPath, [...vitest, '--project', 'unit', ...tests], {
    cwd: root,
    env: { ...process.env, DEED_KEEP_CASES: folder },
  });
  return readdirSync(folder).map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as KeptCase);
}

describe.skipIf(!hasChromium)('verify() in Chromium', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await startChromium();
  });
  afterAll(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('gives of every case of its tests the report that it gives in Node, reason by reason', {
    timeout: 1_800_000,
  }, async () => {
    proves('one-verifier');
    const cases = await bentCases();
    const page = await browser.newPage();
    await page.addScriptTag({ content: await bundleScript(join(evidence, 'src', 'index.ts'), 'deed') });
    const verdicts = new Map<string, number>();
    for (const { report, ...given } of cases) {
      const verifyThere = `(({ file, ...options }) => deed.verify(deed.fromBase64(file), options))(${JSON.stringify(given)})`;
      const there = (await page.evaluate(verifyThere)) as Report;
      expect(there).toEqual(report);
      verdicts.set(report.verdict, (verdicts.get(report.verdict) ?? 0) + 1);
    }
    expect([...verdicts.keys()].sort()).toEqual(['FORGED', 'INCOMPLETE', 'UNANCHORED', 'VERIFIED', 'unusable']);
    expect(cases.length).toBeGreaterThan(200);
  });
});
