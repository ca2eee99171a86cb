import { expect, test } from 'vitest';
import { concat, utf8 } from '../src/encoding.ts';
import { derFromP1363 } from '../src/jwk.ts';
import { verifyP256 } from '../src/platform.ts';
import { es256FromSsh, parseSshPublicKey, sshString } from '../src/ssh.ts';
import { ed25519, p256 } from './support/ssh-keys.ts';

test('what an ssh-agent signs with a P-256 key is an ES256 signature, however long its two numbers are', () => {
  const key = p256();
  const { spki } = parseSshPublicKey(key.wire);
  const sizes = new Set<number>();
  for (let at = 0; !(sizes.has(-1) && sizes.has(0) && sizes.has(1)); at++) {
    const message = utf8(`message ${at}`);
    const given = key.sign(message);
    const size = given[4 + 19 + 4 + 3] ?? 0; // after the type and its length: the last byte of the length of r
    sizes.add(Math.sign(size - 32));
    const signature = es256FromSsh(given);
    expect(signature).toHaveLength(64);
    expect(verifyP256(spki, message, derFromP1363(signature))).toBe(true);
  }
});

test('another kind of signature, a number too long and bytes after the end are refused', () => {
  const blob = (r: Uint8Array, s: Uint8Array) => concat(sshString(r), sshString(s));
  const one = Uint8Array.of(1);
  const of = (inner: Uint8Array) => concat(sshString('ecdsa-sha2-nistp256'), sshString(inner));
  expect(es256FromSsh(of(blob(one, one)))).toEqual(
    Uint8Array.from({ length: 64 }, (_, at) => (at % 32 === 31 ? 1 : 0)),
  );
  const bad = [
    ed25519().sign(one),
    of(blob(new Uint8Array(33).fill(1), one)),
    of(concat(blob(one, one), one)),
    concat(of(blob(one, one)), one),
    of(sshString(one)),
    new Uint8Array(0),
  ];
  for (const bytes of bad) expect(() => es256FromSsh(bytes)).toThrow();
});
