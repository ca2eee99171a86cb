import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { toBase64, verify } from '@deed/evidence';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  givenIn,
  type Judgement,
  readVector,
  saidOf,
  vectorNames,
  wronglySaid,
} from '../../evidence/test/support/vector.ts';
import { bundleScript } from '../src/bundle.ts';
import { makeReadingCopy } from '../src/make-page.ts';
import { hasChromium, startChromium } from './chromium.ts';

const evidence = resolve(import.meta.dirname, '..', '..', 'evidence');
const folder = mkdtempSync(join(tmpdir(), 'deed-vectors-'));
const vectors = vectorNames().map((name) => ({ name, vector: readVector(name) }));

/** Verifies a vector inside the page: what each kind of file is verified by, and bytes as base64. */
const judgeThere = `async ({ kind, trust, nowMs, ...bytes }) => {
  const unpacked = Object.fromEntries(Object.entries(bytes).map(([name, text]) => [name, deed.fromBase64(text)]));
  const { file, ...more } = unpacked;
  const verifiers = { case: deed.verify, receipt: deed.verifyReceipt, 'tlog-proof': deed.verifyLogProof };
  const { verdict, code, reasons } = verifiers[kind](file, { trust: trust ?? undefined, nowMs, ...more });
  return { verdict, code, reasons };
}`;

describe.skipIf(!hasChromium)('the vectors in Chromium', { timeout: 1_800_000 }, () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await startChromium();
  });
  afterAll(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Each of two pages takes every other one: a page has a core of its own. */
  async function inTwoPages<T>(all: readonly T[], work: (page: Page, one: T, isFirst: boolean) => Promise<void>) {
    const half = async (which: number): Promise<void> => {
      const page = await browser.newPage();
      const own = all.filter((_, i) => i % 2 === which);
      for (const [i, one] of own.entries()) await work(page, one, i === 0);
      await page.close();
    };
    await Promise.all([half(0), half(1)]);
  }

  it('get the verdict, the code and the checks that they say', async () => {
    expect(vectors.length).toBeGreaterThanOrEqual(150);
    const content = await bundleScript(join(evidence, 'src', 'index.ts'), 'deed');
    const wrong: object[] = [];
    await inTwoPages(vectors, async (page, { name, vector }, isFirst) => {
      if (isFirst) await page.addScriptTag({ content });
      const { v: _v, what: _what, expected: _expected, file: _file, ...rest } = vector;
      const given = JSON.stringify({ ...rest, file: toBase64(givenIn(vector).file) });
      const there = (await page.evaluate(`(${judgeThere})(${given})`)) as Judgement;
      wrong.push(...wronglySaid(name, vector, saidOf(there)));
    });
    expect(wrong).toEqual([]);
  });

  it('get of a reading copy what a verifier without a trust file says of them, and never more than UNANCHORED', async () => {
    const cases = vectors.filter(({ vector }) => vector.kind === 'case');
    const honest = givenIn(readVector('verified/a-task-that-only-wrote.json')).file;
    const made = Buffer.from(await makeReadingCopy(honest, 'a.deed')).toString();
    const [head = '', rest = ''] = made.split('data-name="a.deed">\n');
    const tail = rest.slice(rest.indexOf('</script>'));
    const wrong: object[] = [];
    await inTwoPages(cases, async (page, { name, vector }) => {
      const { file } = givenIn(vector);
      const path = join(folder, `${name.replaceAll('/', '-')}.html`);
      // The page is made for cases only; whoever changes the case inside it gets a verdict all the same.
      writeFileSync(path, `${head}data-name="a.deed">\n${toBase64(file)}\n${tail}`);
      await page.goto(pathToFileURL(path).href);
      const verdict = page.locator('#verdict');
      await verdict.waitFor({ timeout: 120_000 });
      const said = await verdict.textContent();
      const sound = ['VERIFIED', 'UNANCHORED'].includes(vector.expected.verdict);
      if (said !== (sound ? 'UNANCHORED' : verify(file).verdict)) wrong.push({ name, said });
      rmSync(path);
    });
    expect(wrong).toEqual([]);
  });
});
