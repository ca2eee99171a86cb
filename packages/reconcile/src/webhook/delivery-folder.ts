import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { randomBytes, toHex } from '@deed/evidence';
import { createNew } from '@deed/store';
import { ReconcileError } from '../errors.ts';

/** Deliveries that nobody reads are held up to here, and then refused: whoever sends them tries again later. */
const maxUnread = 100_000;
/** Deliveries of one reading: the place after it lists them. */
const maxRead = 1000;
const maxReadBytes = 64 * 1024 * 1024;
const ending = '.delivery';

/** The files that were read by the reading before: they are kept elsewhere now, and go. */
export interface DeliveryPlace {
  readonly read: readonly string[];
}

/** Writes a delivery down; when this returns, it is on disk. False: too many are still unread. @throws Error of the file system */
export function keepDelivery(folder: string, nowMs: number, delivery: Uint8Array): boolean {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (deliveriesIn(folder).length >= maxUnread) return false;
  const name = `${String(nowMs).padStart(15, '0')}-${toHex(randomBytes(8))}${ending}`;
  createNew(join(folder, name), delivery);
  return true;
}

/** The deliveries that were not read yet, the oldest first. Those of the reading before are removed. @throws ReconcileError unreachable */
export function readDeliveries(
  folder: string,
  from: DeliveryPlace,
  limit: number,
): { readonly deliveries: readonly Uint8Array[]; readonly to: DeliveryPlace; readonly more: boolean } {
  try {
    for (const name of from.read) rmSync(join(folder, name), { force: true });
    const names = deliveriesIn(folder);
    const deliveries: Uint8Array[] = [];
    let bytes = 0;
    for (const name of names.slice(0, Math.min(limit, maxRead))) {
      if (bytes >= maxReadBytes) break;
      const delivery = readFileSync(join(folder, name));
      deliveries.push(delivery);
      bytes += delivery.length;
    }
    const read = names.slice(0, deliveries.length);
    return { deliveries, to: { read }, more: read.length < names.length };
  } catch (cause) {
    throw new ReconcileError('unreachable', `${folder} cannot be read: ${(cause as Error).message}`, { cause });
  }
}

function deliveriesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
      .filter((name) => name.endsWith(ending))
      .sort();
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw cause;
  }
}
