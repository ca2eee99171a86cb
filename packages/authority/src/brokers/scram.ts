import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';

const iterations = 4096; // PostgreSQL's default; the password has 256 random bits and needs no stretching

/**
 * The SCRAM-SHA-256 verifier of a password, in the form that PostgreSQL keeps (RFC 5803, `scram_build_secret` in
 * src/common/scram-common.c): what is sent in its place, so that a server that logs its statements logs no password.
 * @param password ASCII, so that SASLprep leaves it as it is
 */
export function scramVerifier(password: string, salt: Uint8Array = randomBytes(16)): string {
  const salted = pbkdf2Sync(password, salt, iterations, 32, 'sha256');
  const mac = (text: string) => createHmac('sha256', salted).update(text).digest();
  const storedKey = createHash('sha256').update(mac('Client Key')).digest('base64');
  const serverKey = mac('Server Key').toString('base64');
  return `SCRAM-SHA-256$${iterations}:${Buffer.from(salt).toString('base64')}$${storedKey}:${serverKey}`;
}
