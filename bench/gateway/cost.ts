import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makePlace, type Place } from './place.ts';
import { Pipe } from './stdio.ts';

const calls = 5_000;
const many = 100_000;
const steps = 5;
const echo = [process.execPath, fileURLToPath(new URL('echo.mjs', import.meta.url))];
/** Of /proc/PID/stat. */
const ticksPerSecond = 100;

/** What a call costs the server at each tier: its CPU, and what is stored. */
export async function cost(): Promise<readonly (readonly string[])[]> {
  const place = await makePlace();
  await place.client.post('/v1/tools', { name: 'echo', kind: 'plain', argv: echo, env: {} });
  const rows: (readonly string[])[] = [
    [`${calls} calls over stdio by an enrolled agent`, 'server CPU ms a call', 'stored bytes a call'],
  ];
  try {
    for (const tier of ['observe', 'record', 'attest']) {
      const { flags } = await place.worker('echo');
      const pipe = new Pipe(place.shim('echo', flags));
      await pipe.call(`${tier}_echo`);
      const before = await settled(place);
      for (let i = 0; i < calls; i++) await pipe.call(`${tier}_echo`);
      const after = await settled(place);
      pipe.end();
      const [cpu, stored] = [after.cpuMs - before.cpuMs, after.stored - before.stored];
      rows.push([tier, (cpu / calls).toFixed(2), Math.round(stored / calls).toString()]);
    }
    return rows;
  } finally {
    await place.end();
  }
}

/** Whether the server's memory grows with the calls that it has seen. */
export async function memory(): Promise<readonly (readonly string[])[]> {
  const place = await makePlace();
  await place.client.post('/v1/tools', { name: 'echo', kind: 'plain', argv: echo, env: {} });
  const { flags } = await place.worker('echo');
  const pipe = new Pipe(place.shim('echo', flags));
  const rows: (readonly string[])[] = [['calls at tier observe over stdio, one task', 'resident MB of the server']];
  try {
    for (let step = 0; step <= steps; step++) {
      rows.push([String((many / steps) * step), String(Math.round(residentKb(place.pid) / 1024))]);
      for (let i = 0; step < steps && i < many / steps; i++) await pipe.call('observe_echo');
    }
    return rows;
  } finally {
    pipe.end();
    await place.end();
  }
}

/** After everything so far is written. */
async function settled(place: Place) {
  await place.client.post('/v1/grants/waive', { days: 1 });
  const ticks = tree(place.pid).map((pid) => {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    return Number(fields[11]) + Number(fields[12]);
  });
  const cpuMs = (ticks.reduce((sum, one) => sum + one, 0) * 1000) / ticksPerSecond;
  return { cpuMs, stored: bytesIn(join(place.folder, 'data')) };
}

/** A process and those that it started. */
function tree(pid: number): readonly number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
  return [pid, ...children.flatMap(tree)];
}

function bytesIn(folder: string): number {
  const items = readdirSync(folder, { recursive: true, withFileTypes: true });
  return items.reduce((sum, item) => sum + (item.isFile() ? statSync(join(item.parentPath, item.name)).size : 0), 0);
}

function residentKb(root: number): number {
  const sizes = tree(root).map((pid) =>
    Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]),
  );
  return Math.max(...sizes);
}
