import { toHex, utf8 } from './encoding.ts';
import { sha256 } from './platform.ts';

/** Size of the blind in bytes. */
export const blindSize = 16;

/** A credential as the log and task-opened name it: hex SHA-256("deed-credential-v1" || 0x00 || blind || id). */
export function blindCredential(blind: Uint8Array, id: string): string {
  return toHex(sha256(utf8('deed-credential-v1\0'), blind, utf8(id)));
}
