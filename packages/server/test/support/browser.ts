import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
/** Where pictures of the pages go, for a person to look at; nowhere if it is not set. */
const pictures = process.env.PICTURES;

/** A browser of somebody with an authenticator, what its pages complained of, and what they asked for elsewhere. */
export async function visitor(
  browser: Browser,
  options: { readonly verifies?: boolean; readonly dark?: boolean; readonly narrow?: boolean } = {},
) {
  const viewport = options.narrow ? { width: 390, height: 800 } : { width: 1280, height: 800 };
  const context = await browser.newContext({ colorScheme: options.dark ? 'dark' : 'light', viewport });
  const page = await context.newPage();
  const complaints: string[] = [];
  const hosts = new Set<string>();
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('request', (request) => hosts.add(new URL(request.url()).origin));
  const devtools = await context.newCDPSession(page);
  await devtools.send('WebAuthn.enable');
  const { authenticatorId } = await devtools.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: options.verifies ?? true,
      automaticPresenceSimulation: true,
    },
  });
  const verifies = (isUserVerified: boolean) =>
    devtools.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified });
  return { context, page, complaints, hosts, verifies };
}

export async function picture(page: Page, name: string): Promise<void> {
  if (!pictures) return;
  mkdirSync(pictures, { recursive: true });
  await page.screenshot({ path: join(pictures, `${name}.png`), fullPage: true });
}

/** What the accessibility rules of axe say of the page as it is. */
export async function violations(page: Page): Promise<readonly string[]> {
  // The page's policy admits no script but its own: what looks at it comes in by the debugger.
  await page
    .context()
    .newCDPSession(page)
    .then((session) => session.send('Runtime.evaluate', { expression: axe }));
  const found = await page.evaluate(
    `axe.run().then(({ violations }) => violations.map(({ id, nodes }) => id + ': ' + nodes.map(({ html }) => html).join()))`,
  );
  return found as readonly string[];
}
