import type { Browser, BrowserContext } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasChromium, startChromium } from '../../reading-copy/test/chromium.ts';
import { picture, violations, visitor as visit } from './support/browser.ts';
import { order } from './support/people.ts';
import { atLocalhost } from './support/visitor.ts';
import { World } from './support/world.ts';

describe.skipIf(!hasChromium)('in a browser', () => {
  let browser: Browser;
  let world: World;
  let url: string;
  beforeAll(async () => {
    browser = await startChromium();
    world = await World.begin({ listen: { host: '127.0.0.1', port: 0 } });
    url = atLocalhost(world);
  });
  afterAll(async () => {
    await browser?.close();
    await world?.end();
  });

  const visitor = (options: Parameters<typeof visit>[1] = {}) => visit(browser, options);
  const cookies = async (context: BrowserContext) => (await context.cookies()).map(({ name }) => name);

  it('somebody makes a passkey on an invitation, reads out its fingerprint, and signs in and out with it', async () => {
    const { context, page, complaints } = await visitor();
    const invitation = await world.post('/v1/people/invite', { label: 'Ada Lovelace', roles: ['approver'] });
    await page.goto(invitation.url);
    await page.getByText('Ada Lovelace: you are to be approver.').waitFor();
    expect(page.url()).toBe(`${url}/people/join`); // the code does not stay in the address
    expect(await violations(page)).toEqual([]);
    await picture(page, 'join');
    await page.getByRole('button', { name: 'Make a passkey' }).click();
    await page.getByRole('heading', { name: 'Handed in' }).waitFor();
    const [invited] = (await world.api('GET', '/v1/people')).body.invited;
    expect(await page.locator('#fingerprint').textContent()).toBe(invited.offered.fingerprint);
    expect(await violations(page)).toEqual([]);
    await picture(page, 'joined');

    await page.goto(`${url}/people/sign-in`);
    expect(await violations(page)).toEqual([]);
    await picture(page, 'sign-in');
    await page.getByRole('button', { name: 'Sign in with a passkey' }).click();
    await page.getByText('nobody here has this passkey').waitFor(); // no operator has confirmed it
    const { kind, public: key } = invited.offered;
    await order(world, invited.person, { kind: 'enrolled', key: { kind, public: key }, roles: ['approver'] });
    await page.getByRole('button', { name: 'Sign in with a passkey' }).click();
    await page.getByRole('heading', { name: 'Ada Lovelace' }).waitFor();
    expect(await page.evaluate('document.cookie')).toBe('');
    expect(await cookies(context)).toEqual(['deed-session']);
    expect(await violations(page)).toEqual([]);
    await picture(page, 'me');
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    expect(await cookies(context)).toEqual([]);
    expect(complaints.filter((text) => !text.includes('403'))).toEqual([]); // the browser tells of the one refusal
    await context.close();
  });

  it('an authenticator that verified nobody makes no passkey that counts', async () => {
    const { context, page } = await visitor({ verifies: false });
    const invitation = await world.post('/v1/people/invite', { label: 'Nobody', roles: ['approver'] });
    await page.goto(invitation.url);
    await page.getByRole('button', { name: 'Make a passkey' }).click();
    await page.getByRole('alert').waitFor();
    expect(await page.locator('#done').isVisible()).toBe(false);
    await context.close();
  });

  it('a used or invented invitation says so, and an SSH key can be handed in instead', async () => {
    const { context, page } = await visitor({ dark: true });
    const { url: invited } = await world.post('/v1/people/invite', { label: 'Edsger', roles: ['auditor'] });
    await page.goto(invited);
    await page.getByText('An SSH key instead').click();
    await page.getByRole('textbox').fill('ssh-rsa AAAA');
    await page.getByRole('button', { name: 'Hand in this key' }).click();
    await page.getByRole('alert').waitFor();
    await picture(page, 'refused-dark');
    expect(await violations(page)).toEqual([]);
    const line = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINdamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea e@example';
    await page.getByRole('textbox').fill(line);
    await page.getByRole('button', { name: 'Hand in this key' }).click();
    await page.getByRole('heading', { name: 'Handed in' }).waitFor();
    await page.goto('about:blank');
    await page.goto(invited);
    await page.getByText('This invitation cannot be used.').waitFor();
    await page.goto('about:blank');
    await page.goto(`${url}/people/join`);
    await page.getByText('There is no code in this address.').waitFor();
    await context.close();
  });
});
