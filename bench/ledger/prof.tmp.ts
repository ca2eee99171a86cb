import { closedLoop, freshLedger } from './load.ts';
const { ledger, remove } = await freshLedger(process.argv[2] === 'es' ? 'es256' : 'caller', { maxQueue: 8192, ...(process.argv[4] ? { maxBatch: Number(process.argv[4]) } : {}) });
await closedLoop(ledger, 512, 1.5);
const t = process.threadCpuUsage();
const m = await closedLoop(ledger, 4096, Number(process.argv[3] ?? 5));
const u = process.threadCpuUsage(t);
console.log(m.rate.toFixed(0), 'per s; main us', ((u.user + u.system) / m.entries).toFixed(1), 'all us', m.cpuMicros.toFixed(1), 'ack', m.ack, 'anch', m.anchored, 'lag', m.lag);
await ledger.close(); remove();
