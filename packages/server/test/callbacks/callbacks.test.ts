import { openStaticSecrets } from '@deed/authority';
import { parseStatement } from '@deed/evidence';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { testClock } from '../../../authority/test/clock.ts';
import { World } from '../../../authority/test/world.ts';
import { Callbacks, type CallbacksOptions } from '../../src/callbacks/callbacks.ts';
import { callbackMigrations } from '../../src/callbacks/outbox.ts';
import { webhookHeaders } from '../../src/callbacks/standard-webhooks.ts';
import { newP256, spkiOf } from '../../src/index.ts';
import { type Received, receiver } from '../support/receiver.ts';

let world: World;
let options: CallbacksOptions;
beforeAll(async () => {
  world = await World.begin(testClock());
  world.migrations = [...world.migrations, ...callbackMigrations];
  await world.restart();
  const { ledger, clock } = world;
  const key = newP256();
  const secrets = openStaticSecrets(ledger.database, newP256());
  options = { ledger, clock, secrets, key: { key, spki: spkiOf(key) }, random: () => 0 };
});
afterAll(() => world.end());

let name: string;
let count = 0;
beforeEach(() => {
  name = `callback-${++count}`;
});

const hourMs = 3_600_000;
const until = (condition: () => void) => vi.waitFor(condition, { timeout: 20_000, interval: 5 });
const principal = { kind: 'person' as const, id: 'owner', authenticated: 'a test' };
const fields = { objective: 'secret plans of Ada', principal, agent: null, allow: [], implicit: true };

/** Opens a task; gives its statement's digest. */
async function opened(): Promise<string> {
  const { id } = await world.authority.tasks.open(fields);
  await world.ledger.settled();
  const [entry] = world.ledger.series(id);
  if (!entry) throw new Error('no entry');
  return parseStatement(entry.envelope.payload).digest;
}

/** Decides on a grant; gives its statement's digest. */
async function granted(): Promise<string> {
  await world.authority.grants.waive(7);
  await world.ledger.settled();
  const entry = world.ledger.series('grants').at(-1);
  if (!entry) throw new Error('no entry');
  return parseStatement(entry.envelope.payload).digest;
}

/** Lets everything that waits become due, then be looked at. */
async function later(callbacks: Callbacks): Promise<void> {
  world.clock.advance(hourMs);
  await idle(callbacks);
  world.clock.advance(1000);
}

/** With a receiver that answers so, and callbacks that run. */
async function telling(
  answer: (received: Received) => number | null,
  run: (told: Awaited<ReturnType<typeof receiver>>, callbacks: Callbacks, secret: string) => Promise<void>,
) {
  const told = await receiver(answer);
  const callbacks = new Callbacks(options);
  try {
    const secret = callbacks.add({ name, url: told.url, network: 'private', topics: ['grant'] }, undefined);
    await run(told, callbacks, secret);
  } finally {
    callbacks.remove(name);
    await callbacks.close();
    told.stop();
  }
}

const state = (callbacks: Callbacks) => callbacks.list().find((one) => one.name === name);

describe('a callback', () => {
  it('tells of what the log says from then on, signed, in ids and digests alone', async () => {
    await opened();
    await telling(
      () => 204,
      async (told, callbacks, secret) => {
        callbacks.add({ name, url: told.url, network: 'private', topics: ['task'] }, secret);
        const digest = await opened();
        world.clock.advance(1000);
        await until(() => expect(told.got).toHaveLength(1));
        await until(() => expect(state(callbacks)?.waiting).toBe(0));
        const [{ headers, body } = { headers: {}, body: '' }] = told.got;
        const { 'webhook-timestamp': stamp } = headers;
        expect(headers).toMatchObject(webhookHeaders(secret, digest, body, Number(stamp) * 1000));
        expect(JSON.parse(body)).toMatchObject({ specversion: '1.0', id: digest, type: 'deed.task.opened' });
        expect(body).not.toMatch(/Ada|owner|objective/);
      },
    );
  });

  it('comes again with the same id and bytes, later each time, and then is dead until somebody says retry', async () => {
    let status = 500;
    await telling(
      () => status,
      async (told, callbacks) => {
        const digest = await granted();
        for (let tries = 1; tries <= 12; tries++) {
          await later(callbacks);
          await until(() => expect(told.got).toHaveLength(tries));
          await idle(callbacks);
        }
        await until(() => expect(state(callbacks)).toMatchObject({ waiting: 0, dead: 1, gone: false }));
        expect(new Set(told.ids())).toEqual(new Set([digest]));
        expect(new Set(told.got.map(({ body }) => body)).size).toBe(1);
        expect(callbacks.dead(name)).toMatchObject([{ tries: 12, why: 'answered 500', statement: digest }]);
        await later(callbacks);
        await idle(callbacks);
        expect(told.got).toHaveLength(12);
        status = 200;
        expect(callbacks.retry(name)).toBe(1);
        world.clock.advance(1000);
        await until(() => expect(state(callbacks)).toMatchObject({ waiting: 0, dead: 0 }));
        expect(told.got).toHaveLength(13);
      },
    );
  });

  it('ends with 410, visibly, and follows no redirect', async () => {
    let status = 307;
    await telling(
      () => status,
      async (told, callbacks) => {
        await granted();
        world.clock.advance(1000);
        await until(() => expect(told.got).toHaveLength(1));
        await idle(callbacks);
        expect(state(callbacks)).toMatchObject({ waiting: 1, gone: false });
        status = 410;
        await later(callbacks);
        await until(() => expect(state(callbacks)).toMatchObject({ gone: true, waiting: 0, dead: 1 }));
        expect(told.got).toHaveLength(2);
      },
    );
  });

  it('is sent to no private address unless it was registered so', async () => {
    await telling(
      () => 200,
      async (told, callbacks) => {
        for (const url of [told.url, told.url.replace('127.0.0.1', 'localhost')]) {
          callbacks.add({ name, url, network: 'public', topics: ['grant'] }, undefined);
          expect(await callbacks.test(name)).toEqual({
            arrived: false,
            detail: expect.stringMatching(/not a public address|an address that is not asked/),
          });
        }
        expect(told.got).toEqual([]);
      },
    );
  });

  it('is not lost when the server stops before the answer: the next run sends it again', async () => {
    const told = await receiver(() => (told.got.length === 1 ? null : 200));
    const first = new Callbacks(options);
    first.add({ name, url: told.url, network: 'private', topics: ['grant'] }, undefined);
    const digest = await granted();
    world.clock.advance(1000);
    await until(() => expect(told.got).toHaveLength(1));
    await first.close();
    const second = new Callbacks(options);
    try {
      world.clock.advance(1000);
      await until(() => expect(state(second)?.waiting).toBe(0));
      expect(told.ids()).toEqual([digest, digest]);
    } finally {
      second.remove(name);
      await second.close();
      told.stop();
    }
  });
});

/** When what was under way is written down. */
async function idle(callbacks: Callbacks): Promise<void> {
  await until(() => expect(callbacks.isIdle).toBe(true));
}
