import { afterAll, beforeAll, expect, test } from 'vitest';
import { gitForgeBroker } from '../../src/brokers/git-forge.ts';
import { FakeService } from './fake.ts';

const forge = new FakeService();
let url: string;
beforeAll(async () => {
  url = await forge.start();
});
afterAll(() => forge.stop());
const broker = () => gitForgeBroker({ name: 'forge', url: `${url}/`, adminUrl: url, adminToken: 'admin' });

test.each([
  [401, true],
  [403, false],
  [404, false],
])('a probe is made with the credential itself, and %d is refused: %s', async (status, refused) => {
  forge.answer = () => ({ status });
  expect(await broker().probe('crd_1', { user: 'crd_1', password: 'pw' })).toMatchObject({ refused });
  const { path, headers } = forge.last();
  expect(path).toBe('/crd_1.git/info/refs?service=git-upload-pack');
  expect(headers.authorization).toBe(`Basic ${Buffer.from('crd_1:pw').toString('base64')}`);
});

test('a forge that fails, or whose address is not known, does not say', async () => {
  forge.answer = () => ({ status: 503 });
  await expect(broker().probe('crd_1', { password: 'pw' })).rejects.toMatchObject({ code: 'broker' });
  const blind = gitForgeBroker({ name: 'forge', adminUrl: url, adminToken: 'admin' });
  await expect(blind.probe('crd_1', { password: 'pw' })).rejects.toThrow(/no url/);
});

test('a redirect is not followed: what is sent is secret', async () => {
  forge.answer = () => ({ status: 307, headers: { location: 'http://127.0.0.1:1/' } });
  const request = { task: 't', id: 'crd_1', targets: ['acme/site'], deadlineMs: 0 };
  await expect(broker().mint(request)).rejects.toThrow(/answered 307/);
});
