import { parseNote, utf8, verifyTimestamp } from '@deed/evidence';
import type { SqlValue } from '@deed/store';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { fsck, type Ledger, Timestamps } from '../../src/index.ts';
import { codeOf, draft, World } from '../world.ts';
import { type Behaviour, HttpAuthority, honest, send } from './http-authority.ts';

let world: World;
let tsa: HttpAuthority;
let ledger: Ledger;
let stamping: Timestamps;
/** How far the server's clock is ahead. */
let aheadMs: number;
const clock = () => Date.now() + aheadMs;
const soonMs = 20_000;

beforeAll(async () => {
  world = new World();
  tsa = await HttpAuthority.start();
  const { endpoint } = await world.witness();
  ledger = await world.ledger({ witnesses: [endpoint] });
});
beforeEach(() => {
  aheadMs = 0;
  tsa.behaviour = honest;
  tsa.requests.splice(0);
  stamping = make(ledger);
});
afterEach(() => stamping.close());
afterAll(async () => {
  await world.tidy();
  await tsa.close();
});

const make = (of: Ledger, timeoutMs = 10_000) => new Timestamps({ ledger: of, clock, timeoutMs, lookMs: 5 });
const endpoint = () => ({ url: tsa.url, certificate: tsa.authority.sha256 });
/** From now on: the tests share one log. */
const plan = (everySeconds = 3600, from = ledger.size) => ({ ...endpoint(), everySeconds, from });
const until = (condition: () => boolean) => vi.waitUntil(condition, { timeout: soonMs, interval: 5 });

/** Records something and returns the checkpoint that covers it, which nobody waited for to be witnessed. */
async function grow() {
  const { index } = await ledger.record(draft('deployment')).durable;
  return ledger.published(index);
}

/** The same with a checkpoint that somebody waited for. */
async function waitedFor() {
  const { index } = await ledger.record(draft('deployment')).durable;
  return ledger.witnessed(index);
}

describe('checkpoints are stamped', () => {
  test('the newest one when the last stamp is old, or there is none; kept as it came; and not a second time', async () => {
    const { size, note } = await grow();
    stamping.follow(plan());
    const stamp = await stamping.soon(size, AbortSignal.timeout(soonMs));
    const text = utf8(parseNote(note).text);
    expect(verifyTimestamp(stamp?.response ?? new Uint8Array(), text).certificate).toBe(tsa.authority.sha256);
    expect(stamping.status()).toMatchObject({ newest: { size }, waiting: 0, lastFailure: null });

    const { size: tooSoon } = await grow();
    const { size: waited } = await waitedFor();
    await until(() => stamping.at(waited) !== undefined); // it looked, and left out the one between
    expect(stamping.at(tooSoon)).toBeUndefined();
    expect(tsa.requests).toHaveLength(2);

    tsa.behaviour = (request, response, authority) => send(response, authority.answer(request, clock()));
    aheadMs = 3_601_000;
    const { size: due } = await grow();
    await until(() => stamping.at(due) !== undefined);
    expect(tsa.requests).toHaveLength(3);
  });

  test('each that somebody waited for, at once, and it stays', async () => {
    stamping.follow(plan());
    const sizes = [];
    for (let i = 0; i < 3; i++) {
      const { size } = await waitedFor();
      sizes.push(size);
      expect(await stamping.soon(size, AbortSignal.timeout(soonMs))).toMatchObject({ size });
    }
    await grow();
    expect(sizes.map((size) => ledger.checkpointAt(size)?.size)).toEqual(sizes);
    expect(stamping.earliestFrom(sizes[1] ?? 0)?.size).toBe(sizes[1]);
  });

  test('only from the size on at which the authority was named', async () => {
    const { size: before } = await waitedFor();
    const { size } = await waitedFor();
    stamping.follow(plan(3600, size));
    await until(() => stamping.at(size) !== undefined);
    expect(stamping.at(before)).toBeUndefined();
    expect(await stamping.soon(before, AbortSignal.timeout(soonMs))).toBeUndefined();
  });

  test('those that were still to be stamped when the server ended', async () => {
    tsa.behaviour = (_, response) => void response.writeHead(503).end();
    stamping.follow(plan());
    const { size } = await waitedFor();
    await until(() => stamping.status().lastFailure !== null);
    expect(stamping.status()).toMatchObject({ waiting: 1 });
    expect(stamping.status().lastFailure?.message).toMatch(/answered 503/);
    await stamping.close();
    tsa.behaviour = honest;
    stamping = make(ledger);
    stamping.follow(plan(3600, size));
    expect(await stamping.soon(size, AbortSignal.timeout(soonMs))).toMatchObject({ size });
    expect(stamping.status()).toMatchObject({ waiting: 0, lastFailure: null });
  });

  test('not for ever: after a day none is asked for', async () => {
    tsa.behaviour = (_, response) => void response.writeHead(503).end();
    stamping.follow(plan());
    const { size } = await waitedFor();
    await until(() => stamping.status().lastFailure !== null);
    aheadMs = 24 * 3_600_000 + 1000;
    expect(stamping.status().waiting).toBe(0);
    expect(await stamping.soon(size, AbortSignal.timeout(soonMs))).toBeUndefined();
  });
});

const harmless: Readonly<Record<string, Behaviour>> = {
  'answers nothing': () => {},
  'answers garbage': (_, response) => send(response, utf8('hello')),
  'answers 10 MB': (_, response) => send(response, new Uint8Array(10_000_000)),
};

describe('an authority harms nothing that', () => {
  for (const [sentence, behaviour] of Object.entries(harmless)) {
    test(sentence, async () => {
      tsa.behaviour = behaviour;
      stamping = make(ledger, sentence === 'answers nothing' ? 100 : 10_000);
      const { size } = await waitedFor();
      stamping.follow(plan(3600, size));
      await until(() => stamping.status().lastFailure !== null);
      expect(stamping.status().lastFailure?.message).toContain(tsa.url);
      expect(stamping.at(size)).toBeUndefined();
      expect((await waitedFor()).size).toBe(size + 1); // the log goes on
      expect(world.fatal).toEqual([]);
      expect(await stamping.tryOut(endpoint()).then(String, codeOf)).toBe('timestamp');
    });
  }

  test('is not there, and who ends meanwhile does not wait for it', async () => {
    tsa.behaviour = () => {};
    stamping.follow(plan());
    const { size } = await waitedFor();
    await until(() => tsa.requests.length > 0);
    const waiting = stamping.soon(size, AbortSignal.timeout(soonMs));
    await stamping.close();
    expect(await waiting).toBeUndefined();
  });
});

test('fsck verifies each stored stamp, and names the row in which anything was changed', async () => {
  const [before] = ledger.database.all<Record<string, SqlValue>>('SELECT * FROM timestamp WHERE response IS NOT NULL');
  const size = before?.size ?? null;
  const changed = () => fsck(world.folder).problems.map(({ where }) => where);
  expect(changed()).toEqual([]);
  const token = Uint8Array.from(before?.response as Uint8Array);
  token[token.length - 9] = (token.at(-9) ?? 0) ^ 4;
  const changes: Readonly<Record<string, SqlValue>> = { response: token, certificate: '00', time: 1 };
  for (const [column, value] of Object.entries(changes)) {
    const put = (to: SqlValue) =>
      ledger.database.transaction((tx) => tx.run(`UPDATE timestamp SET ${column} = ? WHERE size = ?`, to, size));
    put(value);
    expect(changed(), column).toEqual([`timestamp row ${size}`]);
    put(before?.[column] ?? null);
  }
});
