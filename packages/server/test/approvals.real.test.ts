import { fingerprintOf, newId, toBase64 } from '@deed/evidence';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { proves } from '../../../tests/promises.ts';
import { hasChromium, startChromium } from '../../reading-copy/test/chromium.ts';
import { newP256, spkiOf } from '../src/index.ts';
import { picture, violations, visitor } from './support/browser.ts';
import { type Connection, spoken } from './support/connection.ts';
import { order } from './support/people.ts';
import { approvingPolicy } from './support/policy.ts';
import { atLocalhost } from './support/visitor.ts';
import { type Worker, World } from './support/world.ts';

const long = JSON.stringify({ lines: Array.from({ length: 120 }, (_, i) => `line ${i}`), pаypal: 'a\u202eb' });

describe.skipIf(!hasChromium)('an approver in a browser', () => {
  let browser: Browser;
  let world: World;
  let url: string;
  let worker: Worker;
  let connection: Connection;
  beforeAll(async () => {
    browser = await startChromium();
    world = await World.begin({ listen: { host: '127.0.0.1', port: 0 }, policyFolder: approvingPolicy() });
    url = atLocalhost(world);
    worker = await world.worker();
    connection = await world.connect(await world.scripted(), worker);
  });
  afterAll(async () => {
    await browser?.close();
    await connection?.close();
    await world?.end();
  });

  /** Somebody with a passkey in this very browser, enrolled and signed in. */
  async function approver(label: string, options: Parameters<typeof visitor>[1] = {}) {
    const who = await visitor(browser, options);
    const { page } = who;
    const { url: invited, person } = await world.post('/v1/people/invite', { label, roles: ['approver'] });
    await page.goto(invited);
    await page.getByRole('button', { name: 'Make a passkey' }).click();
    await page.getByRole('heading', { name: 'Handed in' }).waitFor();
    const { invited: all } = (await world.api('GET', '/v1/people')).body;
    const { kind, public: key } = all.find((one: { person: string }) => one.person === person).offered;
    await order(world, person, { kind: 'enrolled', key: { kind, public: key }, roles: ['approver'] });
    return { ...who, person };
  }

  async function signIn(page: Page): Promise<void> {
    await page.getByRole('button', { name: 'Sign in with a passkey' }).click();
  }

  async function hold(id: string, args = '{"a":1}') {
    const answered = connection.answer(id).then(spoken);
    answered.catch(() => {});
    await connection.send(
      `{"jsonrpc":"2.0","id":"${id}","method":"tools/call","params":{"name":"approve_echo","arguments":${args}}}`,
    );
    return { action: await world.held(), answered };
  }

  it('signs in on the way, reads exactly what is signed to its end, and approves with a passkey', async () => {
    proves('invariant-7');
    const { page, complaints, hosts, context } = await approver('Ada');
    const { action, answered } = await hold('one', long);
    const answer = await page.goto(`${url}/approvals/${action}`);
    expect(page.url()).toBe(`${url}/people/sign-in#/approvals/${action}`);
    expect(answer?.headers()['content-security-policy']).toContain("default-src 'none'");
    await signIn(page);
    await page.getByText('An agent waits for your answer').waitFor();
    const shown = (await page.locator('#rendering').textContent()) ?? '';
    expect(shown).toContain('mixes Latin and Cyrillic letters');
    expect(shown).toContain('\\u{202E}');
    expect(await violations(page)).toEqual([]);
    await picture(page, 'approval');
    const approve = page.getByRole('button', { name: 'Approve exactly this, once' });
    expect(await approve.isDisabled()).toBe(true); // the end was not in view
    await page.locator('#answers').scrollIntoViewIfNeeded();
    await approve.click();
    await page.getByRole('heading', { name: 'Approved' }).waitFor();
    expect(await violations(page)).toEqual([]);
    await picture(page, 'approved');
    expect((await answered).isError).toBe(false);
    const [approval] = world.of(worker.task, 'approval');
    expect(approval?.body).toMatchObject({ grade: 'A2', reported: { seenPercent: 100 } });
    expect([...hosts]).toEqual([url]); // nothing from anywhere else
    expect(complaints).toEqual([]);
    await context.close();
  });

  it('finds what waits in the queue, rejects, and asks for other arguments that others judge', async () => {
    const { page, context, complaints } = await approver('Bob', { dark: true, narrow: true });
    await page.goto(`${url}/approvals`);
    await signIn(page);
    await page.getByText('Nothing waits for a person now.').waitFor();
    await picture(page, 'queue-empty');
    const first = await hold('two', '{"a":2}');
    await page.getByText('One action waits.').waitFor();
    expect(await violations(page)).toEqual([]);
    await picture(page, 'queue');
    await page.getByRole('link', { name: '/approve_echo' }).click();
    await page.getByRole('button', { name: 'Reject', exact: true }).click();
    await page.getByRole('heading', { name: 'Rejected' }).waitFor();
    expect((await first.answered).isError).toBe(true);

    const second = await hold('three', '{"a":3}');
    await page.goto(`${url}/approvals/${second.action}`);
    await page.getByText('Ask for other arguments').click();
    expect(await violations(page)).toEqual([]);
    await picture(page, 'edit');
    await page.locator('#arguments').fill('{"a": 4}');
    await page.getByRole('button', { name: 'Reject, and ask for these' }).click();
    await page.getByRole('heading', { name: 'Rejected, with other arguments' }).waitFor();
    expect((await second.answered).text).toContain('{"a":4}');

    const third = await hold('four', '{"a":4}');
    await page.goto(`${url}/approvals/${third.action}`);
    await page.getByText('You cannot approve this: you wrote its arguments yourself.').waitFor();
    expect(await page.getByRole('button', { name: 'Approve exactly this, once' }).isDisabled()).toBe(true);
    await picture(page, 'own');
    await page.getByRole('button', { name: 'Reject', exact: true }).click();
    await page.getByRole('heading', { name: 'Rejected' }).waitFor();
    expect((await third.answered).isError).toBe(true);
    expect(complaints).toEqual([]);
    await context.close();
  });

  it('whose device did not verify its user, or for whom nothing waits any more, is told so', async () => {
    const { page, context, verifies } = await approver('Grace');
    const { action, answered } = await hold('five', '{"a":5}');
    await page.goto(`${url}/approvals/${action}`);
    await signIn(page);
    const approve = page.getByRole('button', { name: 'Approve exactly this, once' });
    await approve.waitFor();
    await page.locator('#answers').scrollIntoViewIfNeeded();
    await verifies(false);
    await approve.click();
    await page.getByRole('alert').getByText('That was not finished. Nothing was sent.').waitFor();
    await world.answer(action, 'reject');
    await answered;
    await page.goto(`${url}/approvals/${action}`);
    await page.getByText('There is nothing to answer here.').waitFor();
    await picture(page, 'gone');
    expect(world.of(worker.task, 'approval').map(({ body }) => body.action)).not.toContain(action);
    await context.close();
  });

  // Last: from here on there are two operators, and nobody is let in by one.
  it('gives the second word for an order among the people', async () => {
    proves('invariant-8');
    const { page, context, complaints, person } = await approver('Edsger');
    const operator = newP256();
    const key = { kind: 'es256' as const, public: toBase64(spkiOf(operator)) };
    await order(world, newId('person', Date.now()), { kind: 'enrolled', key, roles: ['operator'] }); // from here on there are two
    await page.goto(`${url}/people/orders`);
    await signIn(page);
    await page.getByText('No order waits for a second person.').waitFor();
    const wanted = newId('person', Date.now());
    const other = { kind: 'es256' as const, public: toBase64(spkiOf(newP256())) };
    expect(await order(world, wanted, { kind: 'enrolled', key: other, roles: ['approver'] })).toMatchObject({
      state: 'waiting',
    });
    await page.reload();
    await page.getByText(`ordered: ${wanted} is to be let in as approver.`).waitFor();
    expect(await page.locator('#fingerprint').textContent()).toBe(fingerprintOf(other));
    expect(await violations(page)).toEqual([]);
    await picture(page, 'orders');
    await page.getByRole('button', { name: 'Order this as well' }).click();
    await page.getByText(`Done: ${wanted} is to be let in as approver.`).waitFor();
    const [last] = world.of('people', 'person-enrolled').slice(-1);
    expect(last?.body).toMatchObject({ person: wanted, order: { alone: false } });
    expect(last?.body.order?.words.map(({ signature }) => signature.kind)).toEqual(['es256', 'webauthn']);
    expect((await world.api('GET', '/v1/people')).body.people.map(({ id }: { id: string }) => id)).toContain(person);
    expect(complaints).toEqual([]);
    await context.close();
  });
});
