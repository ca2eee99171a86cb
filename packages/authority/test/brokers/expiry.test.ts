import { afterAll, beforeAll, expect, test } from 'vitest';
import type { CredentialBroker } from '../../src/brokers/broker.ts';
import { AuthorityError } from '../../src/errors.ts';
import { Worker, World } from '../world.ts';

const lifeMs = 3_600_000;
let world: World;

/** A target that takes nothing back. */
const lasting = (): CredentialBroker => ({
  name: 'cloud',
  kind: 'aws-sts',
  debt: 'none',
  expiresMs: lifeMs,
  env: { TOKEN: 'token' },
  targets: (allow) => allow.filter(({ server }) => server === 'cloud').map(({ server }) => server),
  mint: async ({ id }) => ({ id, secret: { token: 'x' }, expiresMs: world.clock.now() + lifeMs / 2 }),
  revoke: async () => {
    throw new AuthorityError('broker', 'it ends by itself');
  },
  probe: async () => ({ refused: false, detail: '' }),
});

/** In steps of the longest pause between two attempts. */
async function pass(ms: number, task: string): Promise<void> {
  const stepMs = 5 * 60_000;
  for (let gone = 0; gone <= ms; gone += stepMs) {
    world.clock.advance(stepMs);
    await world.authority.credentials.settled(task);
  }
}

beforeAll(async () => {
  world = await World.begin();
  world.brokers = [lasting()];
  await world.restart();
});
afterAll(() => world.end());

test('what a target does not take back is not called revoked before it has ended by itself', async () => {
  const worker = await Worker.begin(world, { allow: [{ server: 'cloud' }] });
  const { credentials, tasks } = world.authority;
  const [credential] = credentials.ofTask(worker.task.id);
  if (!credential) return expect.fail();
  await tasks.close(worker.task.id, 'principal');
  await credentials.settled(worker.task.id);
  expect(credentials.unrevoked('cloud')).toMatchObject([{ id: credential.id, state: 'live' }]);
  await pass(lifeMs / 2, worker.task.id);
  expect(credentials.get(credential.id)).toMatchObject({ state: 'revoked', expiresMs: credential.expiresMs });
  expect(credentials.unrevoked('cloud')).toEqual([]);
});

test('a request that a crash cut short counts as ended after the longest life that a credential has', async () => {
  world.ledger.database.transaction((tx) =>
    tx.run(
      "INSERT INTO credentials (id, task, broker, blind, blinded, state, minted_ms) VALUES ('crd_lost', 'tsk_lost', 'cloud', x'00', 'b', 'minting', ?)",
      world.clock.now(),
    ),
  );
  await world.restart();
  await world.authority.credentials.settled('tsk_lost');
  expect(world.authority.credentials.get('crd_lost')).toMatchObject({ state: 'minting' });
  await pass(lifeMs, 'tsk_lost');
  expect(world.authority.credentials.get('crd_lost')).toMatchObject({ state: 'revoked' });
});

test('a broker that is retired gives nothing to new tasks, and still takes back what it gave', async () => {
  let revoked = 0;
  const broker = { ...lasting(), revoke: async () => void revoked++ };
  world.authority.credentials.addBroker(broker);
  const worker = await Worker.begin(world, { allow: [{ server: 'cloud' }] });
  world.authority.credentials.retire('cloud');
  const later = await Worker.begin(world, { allow: [{ server: 'cloud' }] });
  expect(world.authority.credentials.ofTask(later.task.id)).toEqual([]);
  await world.authority.tasks.close(worker.task.id, 'principal');
  await world.authority.credentials.settled(worker.task.id);
  expect(revoked).toBe(1);
});
