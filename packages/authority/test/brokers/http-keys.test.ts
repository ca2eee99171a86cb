import { mkdtempSync, realpathSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Payments, startPayments } from '../../../../examples/payments/service.ts';
import { httpKeysBroker } from '../../src/brokers/http-keys.ts';

let payments: Payments;
let adminTokenFile: string;
const dir = realpathSync(mkdtempSync(join(tmpdir(), 'deed-keys-')));
beforeAll(async () => {
  payments = await startPayments(dir);
  adminTokenFile = join(dir, 'admin');
  writeFileSync(adminTokenFile, payments.adminToken, { mode: 0o600 });
});
afterAll(() => payments.stop());

const broker = (over: object = {}) =>
  httpKeysBroker({
    ...{ name: 'pay', adminUrl: `${payments.url}/admin/keys/`, adminTokenFile },
    ...{ probeUrl: `${payments.url}/v1/charges/none`, servers: () => ['payments'] },
    ...over,
  });
const request = { task: 'tsk_1', id: 'crd_1', targets: ['payments'], deadlineMs: Date.now() + 60_000 };

describe('keys of a service', () => {
  it('work until they are revoked, and are asked for by the tasks that name its tools alone', async () => {
    const { id, secret } = await broker().mint(request);
    expect(id).toBe('crd_1');
    expect(secret.token).toMatch(/^crd_1\.[\w-]{43}$/);
    expect(await broker().probe(id, secret)).toMatchObject({ refused: false });
    await broker().revoke(id, secret);
    expect(await broker().probe(id, secret)).toMatchObject({ refused: true });
    await broker().revoke('crd_never', null);
    expect(broker().targets([{ server: 'payments' }])).toEqual(['payments']);
    expect(broker().targets([{ server: 'other' }])).toEqual([]);
  });

  it('are not made where the administration does not know the token, or others may read it', async () => {
    const wrong = join(dir, 'wrong');
    writeFileSync(wrong, 'guessed', { mode: 0o600 });
    await expect(broker({ adminTokenFile: wrong }).mint(request)).rejects.toMatchObject({ code: 'broker' });
    const open = join(dir, 'open');
    writeFileSync(open, payments.adminToken, { mode: 0o644 });
    await expect(broker({ adminTokenFile: open }).mint(request)).rejects.toMatchObject({ code: 'folder' });
    await expect(broker({ probeUrl: undefined }).probe('x', {})).rejects.toMatchObject({ code: 'broker' });
  });
});
