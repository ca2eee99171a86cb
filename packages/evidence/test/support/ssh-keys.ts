import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { concat } from '../../src/encoding.ts';
import { makeSshsig, sshSignedData, sshString } from '../../src/ssh.ts';
import { makeWord, type Word, type WordDomain, wordChallenge } from '../../src/word.ts';

/** A key that an ssh-agent holds. */
export interface SshKey {
  readonly name: string;
  readonly wire: Uint8Array;
  readonly privateKey: KeyObject;
  /** The raw signature that an ssh-agent gives back. */
  sign(message: Uint8Array): Uint8Array;
}

export function ed25519(): SshKey {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const raw = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
  const wire = concat(sshString('ssh-ed25519'), sshString(raw));
  const signRaw = (message: Uint8Array) => concat(sshString('ssh-ed25519'), sshString(sign(null, message, privateKey)));
  return { name: 'ssh-ed25519', wire, privateKey, sign: signRaw };
}

export function p256(): SshKey {
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

/** A word as `ssh-keygen -Y sign` signs it; `namespace` is the domain unless somebody cheats. */
export function sshWord(key: SshKey, domain: WordDomain, bytes: Uint8Array, namespace: string = domain): Word {
  const challenge = wordChallenge(domain, bytes);
  const blob = makeSshsig(namespace, key.wire, key.sign(sshSignedData(namespace, challenge)));
  return makeWord(bytes, 'sshsig', key.wire, blob);
}
