import { createHash, createHmac } from 'node:crypto';
import { fromBase64 } from '@deed/evidence';
import { expect, test } from 'vitest';
import { scramVerifier } from '../../src/brokers/scram.ts';

/** RFC 7677 section 3: user `user`, password `pencil`, the salt and proof that stand there. */
test('the verifier accepts the proof of the example in RFC 7677, and gives its server signature', () => {
  const salt = fromBase64('W22ZaJ0SNY7soEsUEjb6gQ==');
  const [, iterations, stored = '', server = ''] =
    /^SCRAM-SHA-256\$(\d+):W22ZaJ0SNY7soEsUEjb6gQ==\$(.+):(.+)$/.exec(scramVerifier('pencil', salt)) ?? [];
  expect(iterations).toBe('4096');
  const nonce = 'rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0';
  const message = `n=user,r=rOprNGfwEbeRWgbNEkqO,r=${nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=${nonce}`;
  const signature = createHmac('sha256', fromBase64(stored)).update(message).digest();
  const proof = fromBase64('dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=');
  const clientKey = proof.map((byte, i) => byte ^ (signature[i] ?? 0));
  expect(createHash('sha256').update(clientKey).digest('base64')).toBe(stored);
  expect(createHmac('sha256', fromBase64(server)).update(message).digest('base64')).toBe(
    '6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=',
  );
});
