import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type PaymentRecord, startPayments } from '../../../examples/payments/service.ts';
import { placeholderOf } from '../../../packages/gateway/src/index.ts';
import type { World } from '../../../packages/server/test/support/world.ts';
import { type LabDefect, type Labels, type LabSystem, type LabTask, labDefects, nameRepetitions } from './system.ts';

const example = (name: string) => readFileSync(new URL(`../../../examples/payments/${name}`, import.meta.url), 'utf8');
const operations = [{ name: 'refund', method: 'POST', path: '/v1/charges/{charge}/refunds' }];

/** The payment service of the examples: an HTTP API that writes a log of its own. */
export async function paymentsLab(world: World, random: () => number): Promise<LabSystem> {
  let skewMs = 0;
  let serial = 0;
  const payments = await startPayments(mkdtempSync(join(tmpdir(), 'deed-lab-')), () => Date.now() + skewMs);
  const adminTokenFile = join(world.base, 'payments-admin');
  writeFileSync(adminTokenFile, payments.adminToken, { mode: 0o600 });
  const broker = { kind: 'http-keys', name: 'payments', adminUrl: `${payments.url}/admin/keys`, adminTokenFile };
  await world.post('/v1/brokers', broker);
  await world.post('/v1/tools', {
    ...{ name: 'payments', kind: 'plain', url: payments.url, operations },
    credentials: [{ broker: 'payments' }],
    headers: { authorization: `Bearer ${placeholderOf('API_KEY')}` },
  });
  await world.post('/v1/sources', {
    ...{ id: 'payments', kind: 'mapped' },
    config: { path: payments.log, mapping: example('mapping.json'), live: true },
  });
  // A service that may tell no id of the request, and whose records may have no idempotency key: only the former is looked for.
  const keys = '[{ "correlation.request": "/effects/effects/0/request" }, { "correlation.idempotency": "/action" }]';
  const declared = example('contract.json');
  if (!declared.includes(keys)) throw new Error('the contract of the example has other keys now');
  const contract = declared.replace(keys, '[{ "correlation.request": "/effects/effects/0/request" }]');
  await world.post('/v1/contracts', { contract });
  const sideDoor = 'side-door';
  await fetch(`${payments.url}/admin/keys/${sideDoor}`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${payments.adminToken}` },
    // The SHA-256 of "s".
    body: JSON.stringify({ sha256: '043a718774c572bd8a25adbeb1bfcd5c0256ae11cecf9f9c3f925d0e52beaf89' }),
  });
  const one = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)] as T;
  const charges = Array.from({ length: 60 }, (_, i) => `ch_${i}`);
  const amounts = Array.from({ length: 20 }, (_, i) => `${5 * (i + 1)}.00`);

  async function begin(): Promise<LabTask> {
    const worker = await world.worker([{ server: 'payments' }]);
    const token = world.serving.deployment.authority.credentials.secret(worker.task, 'payments')?.secret.token ?? '';
    const labels: Labels = new Map();
    const actions: string[] = [];
    const contents = new Map<string, string>();
    const done = new Set<string>();
    const label = (item: string, defect: LabDefect) => labels.set(item, { defect, type: labDefects[defect] });

    async function execute(
      charge: string,
      amount: string,
      tamper: (record: PaymentRecord) => readonly PaymentRecord[],
    ) {
      payments.tamper = tamper;
      const call = { request: 'execute', server: 'payments', tool: 'refund', arguments: { charge, amount } };
      const body = JSON.stringify({ ...call, idempotencyKey: `lab-${++serial}` });
      const [given = '', proof = ''] = (await worker.sign(Buffer.from(body))).split(' ');
      const headers = { 'content-type': 'application/json', 'deed-task-token': given, 'workload-proof-token': proof };
      const response = await fetch(`${world.serving.url}/v1/execute`, { method: 'POST', headers, body });
      const { action, state } = (await response.json()) as { action: string; state: string };
      if (state !== 'ok') throw new Error(`a refund of the lab was ${state}`);
      actions.push(action);
      return `action:${action}`;
    }

    async function behind(key: string, defect: LabDefect, charge: string, amount: string) {
      payments.tamper = (record) => {
        const item = `event:${record.id}`;
        label(item, defect);
        contents.set(item, `${charge} ${amount}`);
        return [record];
      };
      const headers = { authorization: `Bearer ${key}` };
      const path = `${payments.url}/v1/charges/${charge}/refunds`;
      await fetch(path, { method: 'POST', headers, body: JSON.stringify({ amount }) });
    }

    return {
      worker,
      labels,
      actions,
      async work(defect, keyed) {
        const [charge, amount] = [one(charges), one(amounts)];
        payments.isSilent = !keyed;
        if (defect === 'hidden') return behind(token, defect, charge, amount);
        if (defect === 'foreign') return behind(`${sideDoor}.s`, defect, charge, amount);
        if (defect !== 'phantom' && defect !== 'gap' && defect !== 'changed') done.add(`${charge} ${amount}`);
        if (defect === 'phantom') label(await execute(charge, amount, () => []), defect);
        else if (defect === 'changed')
          label(await execute(charge, amount, (record) => [{ ...record, amount: '999.99' }]), defect);
        else if (defect === 'gap') {
          payments.isLosing = true;
          label(await execute(charge, amount, (record) => [record]), defect);
          payments.isLosing = false;
        } else if (defect === 'duplicate')
          await execute(charge, amount, (record) => {
            const again = { ...record, id: `${record.id}-2`, request: `${record.request}-2`, idempotency: null };
            label(`event:${again.id}`, 'duplicate');
            return [record, again];
          });
        else await execute(charge, amount, (record) => [record]);
      },
      afterClose: () => behind(token, 'late', 'ch_0', '5.00'),
      async end() {
        nameRepetitions(labels, contents, done);
      },
    };
  }

  return {
    name: 'payments',
    defects: ['hidden', 'phantom', 'changed', 'duplicate', 'late', 'foreign', 'gap'],
    canBeKeyless: true,
    begin,
    setClock: (ms) => {
      skewMs = ms;
    },
    settle: async () => {},
    keyOf: ({ id }) => id,
    contentOf: ({ resource, fields }) => `${resource?.uid} ${fields.amount}`,
    stop: () => payments.stop(),
  };
}
