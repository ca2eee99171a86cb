import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { fromHex, utf8 } from '../src/encoding.ts';
import { primitives as browser } from '../src/platform/browser.ts';
import { primitives as node } from '../src/platform/node.ts';
import { signaturesOf } from '../src/platform/signatures.ts';
import { ed25519Spki, mlDsa44Spki } from '../src/platform.ts';

const folder = new URL('../../../../shared/vectors/', import.meta.url);
const present = existsSync(folder);
if (!present) console.warn('SKIPPED foreign vectors of signatures: the vectors folder is absent');
const json = (path: string) => JSON.parse(readFileSync(new URL(path, folder), 'utf8'));

interface Wycheproof {
  readonly testGroups: readonly {
    readonly publicKey: string | { readonly pk: string };
    readonly tests: readonly {
      tcId: number;
      msg: string;
      sig: string;
      ctx?: string;
      result: string;
      comment: string;
    }[];
  }[];
}

const platforms = { node: signaturesOf(node), browser: signaturesOf(browser) };
type Kind = Parameters<typeof platforms.node.verifyPure>[0];

function answers(kind: Kind, spki: Uint8Array, message: Uint8Array, signature: Uint8Array) {
  return Object.fromEntries(
    Object.entries(platforms).map(([name, { verifyPure }]) => [name, verifyPure(kind, spki, message, signature)]),
  );
}
const both = (answer: boolean) => ({ node: answer, browser: answer });

describe.skipIf(!present)('both platforms judge the vectors of others alike', () => {
  test('Ed25519 of Wycheproof', () => {
    const { testGroups } = json('wycheproof/ed25519_test.json') as Wycheproof;
    let judged = 0;
    for (const { publicKey, tests } of testGroups) {
      const spki = ed25519Spki(fromHex(typeof publicKey === 'string' ? publicKey : publicKey.pk));
      for (const { tcId, msg, sig, result, comment } of tests) {
        judged++;
        const given = answers('ed25519', spki, fromHex(msg), fromHex(sig));
        expect(given, `${tcId} ${comment}`).toEqual(both(result === 'valid'));
      }
    }
    expect(judged).toBeGreaterThan(140);
  });

  test('Ed25519 of CCTV, where every edge has a name: those that docs/formats/signatures.md refuses, and no other', () => {
    const vectors = json('cctv/ed25519vectors.json') as {
      key: string;
      sig: string;
      msg: string;
      flags: string[] | null;
    }[];
    const refused = [
      'low_order_A',
      'low_order_R',
      'non_canonical_A',
      'non_canonical_R',
      'low_order_residue',
      'reencoded_k',
    ];
    const seen = new Set<boolean>();
    for (const { key, sig, msg, flags } of vectors) {
      const expected = !(flags ?? []).some((flag) => refused.includes(flag));
      seen.add(expected);
      const given = answers('ed25519', ed25519Spki(fromHex(key)), utf8(msg), fromHex(sig));
      expect(given, `${key} ${flags}`).toEqual(both(expected));
    }
    expect([...seen].sort()).toEqual([false, true]);
    expect(vectors.length).toBeGreaterThan(900);
  });

  test('ML-DSA-44 of Wycheproof, with an empty context', () => {
    const { testGroups } = json('wycheproof/mldsa_44_verify_test.json') as Wycheproof;
    let judged = 0;
    for (const { publicKey, tests } of testGroups) {
      const spki = mlDsa44Spki(fromHex(publicKey as string));
      for (const { tcId, msg, sig, ctx, result, comment } of tests) {
        if (ctx) continue;
        judged++;
        const given = answers('ml-dsa-44', spki, fromHex(msg), fromHex(sig));
        expect(given, `${tcId} ${comment}`).toEqual(both(result === 'valid'));
      }
    }
    expect(judged).toBeGreaterThan(100);
  });
});
