import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { proves } from '../../../tests/promises.ts';
import { concat, fromBase64, fromUtf8, toBase64, utf8 } from '../src/encoding.ts';
import { EvidenceError } from '../src/errors.ts';
import { makeSshsig, parseSshPublicKey, sshSignedData, sshString, verifySshsig } from '../src/ssh.ts';
import { makeWord, openWord, type Word, wordChallenge } from '../src/word.ts';
import { newSigner, signWord } from './support/actors.ts';

interface SshKey {
  readonly name: string;
  readonly wire: Uint8Array;
  readonly privateKey: KeyObject;
  /** The raw signature that an ssh-agent gives back. */
  sign(message: Uint8Array): Uint8Array;
}

function ed25519(): SshKey {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const raw = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
  const wire = concat(sshString('ssh-ed25519'), sshString(raw));
  const signRaw = (message: Uint8Array) => concat(sshString('ssh-ed25519'), sshString(sign(null, message, privateKey)));
  return { name: 'ssh-ed25519', wire, privateKey, sign: signRaw };
}

function p256(): SshKey {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const point = publicKey.export({ format: 'der', type: 'spki' }).subarray(-65);
  const wire = concat(sshString('ecdsa-sha2-nistp256'), sshString('nistp256'), sshString(point));
  const signRaw = (message: Uint8Array) => {
    const der = sign('sha256', message, privateKey);
    const rEnd = 4 + (der[3] ?? 0);
    const blob = concat(sshString(der.subarray(4, rEnd)), sshString(der.subarray(rEnd + 2)));
    return concat(sshString('ecdsa-sha2-nistp256'), sshString(blob));
  };
  return { name: 'ecdsa-sha2-nistp256', wire, privateKey, sign: signRaw };
}

const domain = 'deed-approval-v1';
const bytes = utf8('{"v":1,"says":"I approve executing exactly this action, once."}');

function sshWord(key: SshKey, namespace: string = domain): Word {
  const challenge = wordChallenge(domain, bytes);
  const blob = makeSshsig(namespace, key.wire, key.sign(sshSignedData(namespace, challenge)));
  return makeWord(bytes, 'sshsig', key.wire, blob);
}

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
