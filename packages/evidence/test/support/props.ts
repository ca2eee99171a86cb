import { toHex, utf8 } from '../../src/encoding.ts';
import { sha256 } from '../../src/platform.ts';

export const start = Date.parse('2026-11-22T10:00:00.000Z');
export const engine = { name: 'cedar-wasm', version: '4.13.0', sha256: digestOf('the engine') };
export const definition = (tool: string) => digestOf(`definition of ${tool}`);
export const executable = digestOf('the program');
export const spiffe = `spiffe://3f9a12c4.deed.local/agent/mender/${digestOf('the configuration of the agent')}`;
export const zero = '0'.repeat(40);

export function digestOf(text: string): string {
  return toHex(sha256(utf8(text)));
}

/** The id of a commit in the story. */
export function commit(letter: string): string {
  return letter.repeat(40);
}
