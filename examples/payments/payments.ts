import { mkdirSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { startPayments } from './service.ts';

const { values } = parseArgs({ options: { dir: { type: 'string' }, 'admin-token-file': { type: 'string' } } });
if (values.dir === undefined || values['admin-token-file'] === undefined) {
  console.error('usage: node examples/payments/payments.ts --dir DIR --admin-token-file FILE');
  process.exit(2);
}
const dir = resolve(values.dir);
mkdirSync(dir, { recursive: true });
const payments = await startPayments(dir);
writeFileSync(values['admin-token-file'], payments.adminToken, { mode: 0o600 });
console.log(JSON.stringify({ url: payments.url }));
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void payments.stop());
