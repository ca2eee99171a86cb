import { readdirSync, readFileSync } from 'node:fs';
import { ReconcileError } from '../errors.ts';

const folder = new URL('../../mappings/', import.meta.url);

/** Names of the mappings that come with Deed. */
export function shippedMappings(): readonly string[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.json'))
    .map((file) => file.slice(0, -5))
    .sort();
}

/** The exact bytes of one of them. @throws ReconcileError source */
export function shippedMapping(name: string): Uint8Array {
  if (!shippedMappings().includes(name))
    throw new ReconcileError('source', `there is no mapping ${name}; there are ${shippedMappings().join(', ')}`);
  return readFileSync(new URL(`${name}.json`, folder));
}
