import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { proves } from '../../../tests/promises.ts';
import { concat, fromBase64, fromUtf8, toBase64, utf8 } from '../src/encoding.ts';
import { EvidenceError } from '../src/errors.ts';
import { parseSshPublicKey, sshString, verifySshsig } from '../src/ssh.ts';
import { openWord, type Word, wordChallenge } from '../src/word.ts';
import { newSigner, signWord } from './support/actors.ts';
import { ed25519, p256, type SshKey, sshWord as signSsh } from './support/ssh-keys.ts';

const domain = 'deed-approval-v1';
const bytes = utf8('{"v":1,"says":"I approve executing exactly this action, once."}');

const sshWord = (key: SshKey, namespace: string = domain): Word => signSsh(key, domain, bytes, namespace);

describe('a word', () => {
  for (const make of [ed25519, p256]) {
    const key = make();
    it(`signed with ${key.name} opens to the exact bytes`, () => {
      proves('invariant-3');
      expect(fromUtf8(openWord(domain, sshWord(key)))).toBe(fromUtf8(bytes));
      expect(parseSshPublicKey(key.wire).type).toBe(key.name);
    });

    it(`signed with ${key.name} does not open for another purpose, key or text`, () => {
      const word = sshWord(key);
      const other: Word = { ...word, bytes: toBase64(utf8('{"v":1}')) };
      const byOther: Word = { ...word, signature: { ...word.signature, key: toBase64(make().wire) } };
      expect(() => openWord('deed-activation-v1', word)).toThrow(EvidenceError);
      expect(() => openWord(domain, sshWord(key, 'file'))).toThrow(EvidenceError);
      for (const wrong of [other, byOther]) expect(() => openWord(domain, wrong)).toThrow(EvidenceError);
    });

    it(`signed with ${key.name} does not open after any changed byte of its signature`, () => {
      const word = sshWord(key);
      const sig = fromBase64(word.signature.sig);
      fc.assert(
        fc.property(fc.nat(sig.length - 1), fc.integer({ min: 1, max: 255 }), (at, by) => {
          const changed = Uint8Array.from(sig);
          changed[at] = (changed[at] ?? 0) ^ by;
          expect(verifySshsig(domain, key.wire, wordChallenge(domain, bytes), changed)).toBe(false);
        }),
      );
    });
  }

  it('signed with ES256 opens, for its purpose, key and text alone', () => {
    const signer = newSigner();
    const word = signWord(domain, bytes, signer);
    expect(fromUtf8(openWord(domain, word))).toBe(fromUtf8(bytes));
    expect(() => openWord('deed-activation-v1', word)).toThrow(EvidenceError);
    const signature = { ...word.signature, key: toBase64(newSigner().spki) };
    expect(() => openWord(domain, { ...word, signature })).toThrow(EvidenceError);
    expect(() => openWord(domain, { ...word, signature: { ...word.signature, kind: 'sshsig' } })).toThrow(
      EvidenceError,
    );
    expect(() => openWord(domain, { ...word, bytes: `${word.bytes}A` })).toThrow(EvidenceError);
  });

  it('is not made with keys of other kinds', () => {
    const rsa = concat(sshString('ssh-rsa'), sshString(utf8('e')), sshString(utf8('n')));
    const p384 = concat(sshString('ecdsa-sha2-nistp256'), sshString('nistp384'), sshString(new Uint8Array(65)));
    const long = concat(ed25519().wire, Uint8Array.of(0));
    for (const wire of [rsa, p384, long, new Uint8Array()])
      expect(() => parseSshPublicKey(wire)).toThrow(EvidenceError);
  });
});
