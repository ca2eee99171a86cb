import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { derFromP1363 } from '../src/jwk.ts';
import { ed25519Spki, mlDsa44Spki, verifyP256, verifyPure } from '../src/platform.ts';

const folder = new URL('../../../../shared/vectors/', import.meta.url);
const hex = (text: string) => Buffer.from(text, 'hex');

function vectors(path: string) {
  const file = new URL(path, folder);
  const present = existsSync(file);
  if (!present) console.warn(`SKIPPED foreign signature vectors: ${path} is absent`);
  return { present, read: () => JSON.parse(readFileSync(file, 'utf8')) };
}

interface Wycheproof {
  readonly testGroups: readonly {
    readonly publicKey: { readonly pk: string } | string;
    readonly publicKeyDer: string;
    readonly tests: readonly {
      readonly tcId: number;
      readonly msg: string;
      readonly sig: string;
      readonly ctx?: string;
      readonly result: 'valid' | 'invalid' | 'acceptable';
    }[];
  }[];
}

/** Judges each vector and compares with its own verdict, but for the ids where the verdict is ours to choose. */
function judge(
  file: Wycheproof,
  verdict: (group: Wycheproof['testGroups'][number], msg: Uint8Array, sig: Uint8Array) => boolean,
  chosen: ReadonlyMap<number, boolean> = new Map(),
): number {
  let count = 0;
  for (const group of file.testGroups) {
    for (const vector of group.tests) {
      const expected = chosen.get(vector.tcId) ?? vector.result === 'valid';
      expect(verdict(group, hex(vector.msg), hex(vector.sig)), `test ${vector.tcId}`).toBe(expected);
      count++;
    }
  }
  return count;
}

const rawKey = (group: Wycheproof['testGroups'][number]) =>
  hex(typeof group.publicKey === 'string' ? group.publicKey : group.publicKey.pk);

const cctv = vectors('cctv/ed25519vectors.json');
describe.skipIf(!cctv.present)('CCTV Ed25519', () => {
  /** The rule of docs/formats/signatures.md in the words of these vectors. */
  const refused = ['low_order_A', 'low_order_R', 'non_canonical_A', 'non_canonical_R', 'low_order_residue'];

  test('every edge case is judged by our rule', () => {
    const found: readonly { number: number; key: string; sig: string; msg: string; flags: readonly string[] | null }[] =
      cctv.read();
    const accepted = found.filter((vector) => {
      const flags = vector.flags ?? [];
      const good = verifyPure('ed25519', ed25519Spki(hex(vector.key)), Buffer.from(vector.msg), hex(vector.sig));
      expect(good, `vector ${vector.number}: ${flags.join()}`).toBe(!flags.some((flag) => refused.includes(flag)));
      return good;
    });
    expect({ vectors: found.length, accepted: accepted.length }).toEqual({ vectors: 914, accepted: 43 });
  });
});

const ed25519 = vectors('wycheproof/ed25519_test.json');
describe.skipIf(!ed25519.present)('Wycheproof Ed25519', () => {
  test('every vector is judged as it says', () => {
    const judged = judge(ed25519.read(), (group, msg, sig) =>
      verifyPure('ed25519', ed25519Spki(rawKey(group)), msg, sig),
    );
    expect(judged).toBe(151);
  });
});

const mlDsa = vectors('wycheproof/mldsa_44_verify_test.json');
describe.skipIf(!mlDsa.present)('Wycheproof ML-DSA-44', () => {
  test('every vector is judged as it says, but for those with a context, which is always empty here', () => {
    const file: Wycheproof = mlDsa.read();
    const withContext = file.testGroups
      .flatMap((group) => group.tests)
      .filter((vector) => (vector.ctx ?? '') !== '')
      .map((vector) => [vector.tcId, false] as const);
    const judged = judge(
      file,
      (group, msg, sig) => verifyPure('ml-dsa-44', mlDsa44Spki(rawKey(group)), msg, sig),
      new Map(withContext),
    );
    expect({ judged, withContext: withContext.length }).toEqual({ judged: 180, withContext: 7 });
  });
});

const ecdsa = vectors('wycheproof/ecdsa_secp256r1_sha256_test.json');
describe.skipIf(!ecdsa.present)('Wycheproof ECDSA P-256, DER', () => {
  test('every vector is judged as it says', () => {
    const judged = judge(ecdsa.read(), (group, msg, sig) => verifyP256(hex(group.publicKeyDer), msg, sig));
    expect(judged).toBeGreaterThan(400);
  });
});

const p1363 = vectors('wycheproof/ecdsa_secp256r1_sha256_p1363_test.json');
describe.skipIf(!p1363.present)('Wycheproof ECDSA P-256, r || s as in a JWT', () => {
  test('every vector is judged as it says', () => {
    const judged = judge(p1363.read(), (group, msg, sig) => {
      return sig.length === 64 && verifyP256(hex(group.publicKeyDer), msg, derFromP1363(sig));
    });
    expect(judged).toBeGreaterThan(200);
  });
});
