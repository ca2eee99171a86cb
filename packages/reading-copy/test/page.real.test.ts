import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { plainText, sha256, toHex, verify } from '@deed/evidence';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { proves } from '../../../tests/promises.ts';
import { makeReadingCopy } from '../src/make-page.ts';
import { hostile, states } from './cases.ts';
import { hasChromium, startChromium } from './chromium.ts';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const folder = mkdtempSync(join(tmpdir(), 'deed-page-'));
let browser: Browser;

interface Opened {
  readonly page: Page;
  /** What the page asked of anybody, but for itself. */
  readonly requests: string[];
  /** Errors and violations of its policy. */
  readonly complaints: string[];
  readonly file: Uint8Array;
}

/** Writes the page of a state, opens it and waits for its verdict. */
async function open(state: keyof typeof states, options: BrowserContextOptions = {}): Promise<Opened> {
  const file = states[state]();
  const path = join(folder, `${state.replace(' ', '-')}.html`);
  writeFileSync(path, await makeReadingCopy(file, 'the case.deed'));
  return { ...(await load(path, options)), file };
}

async function load(path: string, options: BrowserContextOptions = {}): Promise<Omit<Opened, 'file'>> {
  const page = await (await browser.newContext(options)).newPage();
  const requests: string[] = [];
  const complaints: string[] = [];
  const address = pathToFileURL(path).href;
  page.on('request', (request) => request.url() !== address && requests.push(request.url()));
  page.on('console', (message) => complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(error.message));
  await page.goto(address);
  await page.locator('#verdict').waitFor({ timeout: 120_000 });
  return { page, requests, complaints };
}

const text = (page: Page, selector: string) => page.locator(selector).first().textContent();

/** Opens everything that folds, as a thorough reader would, and what folds inside that. */
async function openAll(page: Page): Promise<void> {
  await page.evaluate(`new Promise((done) => {
    const look = () => {
      const folds = [...document.querySelectorAll('details')];
      for (const fold of folds) fold.open = true;
      if (folds.every((fold) => fold.querySelector('.fold').childNodes.length > 0)) done();
      else setTimeout(look, 10);
    };
    look();
  })`);
}

async function reportOf(page: Page): Promise<unknown> {
  await page.locator('#report summary').click();
  return JSON.parse((await text(page, '#report pre')) ?? '');
}

async function violations(page: Page): Promise<string[]> {
  await page.evaluate(axe);
  const found = (await page.evaluate('axe.run().then(({ violations }) => violations)')) as {
    id: string;
    nodes: { html: string }[];
  }[];
  return found.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
}

describe.skipIf(!hasChromium)('a reading copy in Chromium', () => {
  beforeAll(async () => {
    browser = await startChromium();
  });
  afterAll(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  for (const state of Object.keys(states) as (keyof typeof states)[]) {
    it(`says of the ${state} case what verify() says in Node, asks nobody for anything, and breaks no rule of its policy`, async () => {
      proves('reading-copy');
      const { page, requests, complaints, file } = await open(state);
      const report = verify(file);
      expect(report.verdict).not.toBe('VERIFIED');
      expect(await text(page, '#verdict')).toBe(report.verdict);
      expect(await reportOf(page)).toEqual(report);
      expect(await text(page, '#digest')).toBe(toHex(sha256(file)));
      expect(await text(page, '#command')).toBe('deed verify the_case.deed --trust TRUST');
      expect(await text(page, '.caution')).toContain('A reading copy cannot vouch for itself.');
      await openAll(page);
      expect({ requests, complaints }).toEqual({ requests: [], complaints: [] });
      await page.context().close();
    });
  }

  it('hands out the case again byte for byte', async () => {
    const { page, file } = await open('sound');
    const [download] = await Promise.all([page.waitForEvent('download'), page.locator('#download').click()]);
    expect(download.suggestedFilename()).toBe('the_case.deed');
    expect(readFileSync(await download.path()).equals(file)).toBe(true);
    await page.context().close();
  });

  it('answers the four questions, names the layers, and shows exactly what the approver saw', async () => {
    const { page } = await open('sound');
    const action = page.locator('#actions details.card').nth(3);
    for (const words of ['Which agent', 'What authority', 'Which resource', 'What result'])
      expect(await action.textContent()).toContain(words);
    expect(await action.locator('.layers').textContent()).toMatch(/approvalpresent.*anchormissingno trust file/);
    expect(await text(page, '#approvals pre')).toBe('push 1 commit to site refs/heads/main');
    expect(await text(page, '#approvals')).toContain('I approve executing exactly this action, once.');
    expect(await page.locator('#timeline details').count()).toBe(30);
    expect(await page.locator('#checks tbody tr').count()).toBe(verify(states.sound()).checks.length);
    await page.context().close();
  });

  it('names what was withheld and what was erased, with the reason that was given', async () => {
    for (const state of ['withheld', 'erased'] as const) {
      const { page } = await open(state);
      const payload = page.locator('#payloads details', { has: page.locator(`.state.${state}`) });
      expect(await payload.count()).toBe(1);
      await payload.locator('summary').click();
      await payload.getByText('a person asked for it').waitFor(); // it is filled once it is open
      await page.context().close();
    }
  });

  it('is not broken out of by what others wrote: it is shown as text, with hidden characters visible', async () => {
    const { page, complaints } = await open('hostile');
    await openAll(page);
    expect(await page.evaluate('window.pwned')).toBeUndefined();
    expect(await text(page, '#actions')).toContain(plainText(hostile.detail));
    expect(await text(page, '#actions')).toContain('\\u{202E}gro.live\\u{202C} \\u{7}\\u{200B}');
    expect(await page.locator('img, svg, iframe, link, object').count()).toBe(0);
    expect(await page.locator('script').count()).toBe(2);
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it('shows a huge payload by and by', async () => {
    const { page } = await open('hostile');
    const payload = page.locator('#payloads details', {
      hasText: `${hostile.larger.length.toLocaleString('en')} bytes`,
    });
    await payload.locator('summary').click();
    await payload.locator('button').waitFor();
    expect((await payload.locator('pre').allTextContents()).join('')).toBe(hostile.larger.slice(0, 20_000));
    await payload.locator('button').click();
    expect((await payload.locator('pre').allTextContents()).join('')).toBe(hostile.larger.slice(0, 40_000));
    await page.context().close();
  });

  it('shows the beginning of many actions, more when asked, and all on paper', async () => {
    const { page, file } = await open('many');
    const actions = page.locator('#actions > div > ol > li');
    expect(await actions.count()).toBe(50);
    await page.locator('#actions > div > button').click();
    expect(await actions.count()).toBe(100);
    await page.evaluate('window.dispatchEvent(new Event("beforeprint"))');
    expect(await actions.count()).toBe(verify(file).actions.length);
    expect(await page.locator('#actions .layers').count()).toBe(verify(file).actions.length);
    expect((await page.pdf()).length).toBeGreaterThan(10_000);
    await page.context().close();
  });

  it('is unusable when somebody cut the case inside it, and gives no verdict when nothing can be read there', async () => {
    const made = Buffer.from(await makeReadingCopy(states.sound(), 'a.deed')).toString();
    const [head = '', tail = ''] = made.split('data-name="a.deed">\n');
    const path = join(folder, 'broken.html');
    writeFileSync(path, `${head}data-name="a.deed">\n${tail.slice(4)}`);
    const { page } = await load(path);
    expect(await text(page, '#verdict')).toBe('unusable');
    expect(await page.locator('#actions, #approvals, #timeline, #payloads').count()).toBe(0);
    writeFileSync(path, `${head}data-name="a.deed">\n!${tail}`);
    await page.reload();
    await page.locator('[role=status]', { hasText: 'The verifier itself failed, which is no verdict' }).waitFor();
    expect(await page.locator('#verdict').count()).toBe(0);
    await page.context().close();
  });

  it('runs no script but its own', async () => {
    const path = join(folder, 'injected.html');
    const made = Buffer.from(await makeReadingCopy(states.sound(), 'a.deed')).toString();
    writeFileSync(
      path,
      made.replace('<main', '<script>window.pwned = 1</script><img src=x onerror="window.pwned = 1"><main'),
    );
    const { page, complaints } = await load(path);
    expect(await page.evaluate('window.pwned')).toBeUndefined();
    expect(complaints.join()).toMatch(/Content Security Policy/);
    await page.context().close();
  });

  const all = ['sound', 'forged', 'incomplete', 'erased', 'hostile'] as const;
  const looks = {
    'in light': { options: { colorScheme: 'light' }, shown: all },
    'in the dark': { options: { colorScheme: 'dark' }, shown: ['sound', 'forged', 'incomplete'] },
    'on a phone': { options: { viewport: { width: 360, height: 740 }, isMobile: true }, shown: ['sound', 'hostile'] },
  } as const;
  for (const [look, { options, shown }] of Object.entries(looks)) {
    it(`is accessible ${look}, whatever the verdict, and never wider than the screen`, async () => {
      for (const state of shown) {
        const { page } = await open(state, options);
        if (state === 'sound') await openAll(page);
        expect(await violations(page), state).toEqual([]);
        expect(await page.evaluate('document.documentElement.scrollWidth <= window.innerWidth'), state).toBe(true);
        await page.context().close();
      }
    });
  }
});
