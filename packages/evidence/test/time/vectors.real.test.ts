import { X509Certificate } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { DeedError } from '../../src/errors.ts';
import { fieldsOf, readDer } from '../../src/time/der.ts';
import { openSignedData } from '../../src/time/signed-data.ts';
import { openTimestamp, verifyTimestamp } from '../../src/time/timestamp.ts';

const folder = new URL('../../../../../shared/vectors/rfc3161/', import.meta.url);
const present = existsSync(folder);
if (!present) console.warn('SKIPPED foreign vectors of timestamps: the vectors folder is absent');
const read = (name: string) => new Uint8Array(readFileSync(new URL(name, folder)));
const digestOf = (certificate: X509Certificate) => certificate.fingerprint256.replaceAll(':', '').toLowerCase();

describe.skipIf(!present)('timestamps made by others', () => {
  test('an answer of openssl ts holds for its data, by its certificate, and for no other data', () => {
    const timestamp = verifyTimestamp(read('r.tsr'), read('data.txt'));
    expect(timestamp.certificate).toBe(digestOf(new X509Certificate(read('tsa.pem'))));
    expect(timestamp).toMatchObject({ checked: true, accuracyMs: 1000, timeMs: Date.parse('2026-11-22T02:53:14Z') });
    expect(() => verifyTimestamp(read('r.tsr'), read('ca.pem'))).toThrow(/other bytes/);
  });

  test('certificates that were put into an answer change nothing: it is by the one that it names', () => {
    const fields = fieldsOf(readDer(read('response-injected-certs.tsr')));
    fields.next();
    const token = fields.next();
    const { certificate, checked } = openSignedData(token);
    const came = certificatesOf(token.bytes);
    expect(came).toHaveLength(3);
    expect(came.filter((other) => digestOf(other) === certificate.sha256)).toHaveLength(1);
    expect(came.findIndex((other) => digestOf(other) === certificate.sha256)).toBe(2); // the injected ones stand first
    expect(checked).toBe(true);
    // It stamps a SHA-512, which is not ours to take.
    expect(() => openTimestamp(read('response-injected-certs.tsr'))).toThrow(DeedError);
  });
});

/** Every certificate in the bytes, by trying each SEQUENCE of two length bytes. */
function certificatesOf(bytes: Uint8Array): X509Certificate[] {
  const found: X509Certificate[] = [];
  for (let at = 0; at + 4 < bytes.length; at++) {
    if (bytes[at] !== 0x30 || bytes[at + 1] !== 0x82 || bytes[at + 4] !== 0x30) continue;
    const end = at + 4 + (bytes[at + 2] ?? 0) * 256 + (bytes[at + 3] ?? 0);
    try {
      found.push(new X509Certificate(bytes.subarray(at, end)));
    } catch {
      // another element
    }
  }
  return found;
}
