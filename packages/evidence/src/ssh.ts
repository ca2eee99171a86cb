import { concat, equalBytes, fromBase64, fromUtf8, utf8 } from './encoding.ts';
import { EvidenceError } from './errors.ts';
import { ed25519Spki, sha512, verifyP256, verifyPure } from './platform.ts';
import { p256SpkiPrefix } from './signature-rules.ts';

const ed25519 = 'ssh-ed25519';
const p256 = 'ecdsa-sha2-nistp256';

/** Reads the length-prefixed strings of the SSH wire format (RFC 4251 section 5). */
class SshReader {
  private at = 0;
  private readonly bytes: Uint8Array;
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  take(length: number): Uint8Array {
    if (this.at + length > this.bytes.length) throw new EvidenceError('encoding', 'SSH structure is too short');
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  u32(): number {
    const b = this.take(4);
    return new DataView(b.buffer, b.byteOffset, 4).getUint32(0);
  }

  string(): Uint8Array {
    return this.take(this.u32());
  }

  text(): string {
    return fromUtf8(this.string());
  }

  end(): void {
    if (this.at !== this.bytes.length) throw new EvidenceError('encoding', 'bytes after the end of an SSH structure');
  }
}

export function sshString(content: Uint8Array | string): Uint8Array {
  const bytes = typeof content === 'string' ? utf8(content) : content;
  const out = new Uint8Array(4 + bytes.length);
  new DataView(out.buffer).setUint32(0, bytes.length);
  out.set(bytes, 4);
  return out;
}

export interface SshPublicKey {
  readonly type: typeof ed25519 | typeof p256;
  readonly spki: Uint8Array;
}

/** The wire form in one line of a public key file, as in `id_ed25519.pub`. @throws EvidenceError key, encoding */
export function readSshPublicKeyLine(line: string): Uint8Array {
  const [type, base64 = ''] = line.trim().split(/[ \t]+/);
  const form = 'one line of a public key is wanted: ssh-ed25519 or ecdsa-sha2-nistp256, then its base64';
  if (/[\r\n]/.test(line.trim()) || (type !== ed25519 && type !== p256)) throw new EvidenceError('key', form);
  const wire = fromBase64(base64);
  if (parseSshPublicKey(wire).type !== type) throw new EvidenceError('key', form);
  return wire;
}

/** Reads an SSH public key in wire form, Ed25519 or P-256. @throws EvidenceError key, encoding */
export function parseSshPublicKey(wire: Uint8Array): SshPublicKey {
  const reader = new SshReader(wire);
  const type = reader.text();
  if (type === ed25519) {
    const raw = reader.string();
    reader.end();
    if (raw.length === 32) return { type, spki: ed25519Spki(raw) };
  } else if (type === p256) {
    const curve = reader.text();
    const point = reader.string();
    reader.end();
    if (curve === 'nistp256' && point.length === 65 && point[0] === 4)
      return { type, spki: concat(p256SpkiPrefix, point) };
  }
  throw new EvidenceError('key', `SSH key of type ${JSON.stringify(type)} is not accepted: use ssh-ed25519 or ${p256}`);
}

/** The bytes that `ssh-keygen -Y sign` and an agent sign for a message (OpenSSH PROTOCOL.sshsig, version 1, sha512). */
export function sshSignedData(namespace: string, message: Uint8Array): Uint8Array {
  return concat(utf8('SSHSIG'), sshString(namespace), sshString(''), sshString('sha512'), sshString(sha512(message)));
}

/** Wraps an agent's raw signature (`string type, string blob`) into an SSHSIG blob. */
export function makeSshsig(namespace: string, publicKey: Uint8Array, signature: Uint8Array): Uint8Array {
  const version = Uint8Array.from([0, 0, 0, 1]);
  return concat(
    utf8('SSHSIG'),
    version,
    sshString(publicKey),
    sshString(namespace),
    sshString(''),
    sshString('sha512'),
    sshString(signature),
  );
}

/** True if `blob` is an SSHSIG over the message, in this namespace, by this key. */
export function verifySshsig(namespace: string, key: Uint8Array, message: Uint8Array, blob: Uint8Array): boolean {
  try {
    const reader = new SshReader(blob);
    const signature = readSshsig(reader, namespace, key);
    const type = signature.text();
    const raw = signature.string();
    signature.end();
    const parsed = parseSshPublicKey(key);
    if (parsed.type !== type) return false;
    const signed = sshSignedData(namespace, message);
    return type === ed25519
      ? verifyPure('ed25519', parsed.spki, signed, raw)
      : verifyP256(parsed.spki, signed, derFromSsh(raw));
  } catch {
    return false;
  }
}

function readSshsig(reader: SshReader, namespace: string, key: Uint8Array): SshReader {
  const magic = reader.take(6);
  const version = reader.u32();
  const publicKey = reader.string();
  const fields = [reader.text(), reader.text(), reader.text()];
  const signature = reader.string();
  reader.end();
  const expected = [namespace, '', 'sha512'];
  const same = equalBytes(magic, utf8('SSHSIG')) && version === 1 && equalBytes(publicKey, key);
  if (!same || fields.some((field, i) => field !== expected[i]))
    throw new EvidenceError('signature', 'SSHSIG does not fit');
  return new SshReader(signature);
}

/**
 * What an agent gave for a P-256 key (`string type, string blob`), as ES256 has it: r and s, 32 bytes each.
 * @throws EvidenceError signature (of another kind), encoding
 */
export function es256FromSsh(signature: Uint8Array): Uint8Array {
  const outer = new SshReader(signature);
  const [type, blob] = [outer.text(), new SshReader(outer.string())];
  outer.end();
  const integers = [blob.string(), blob.string()].map((value) => (value[0] === 0 ? value.subarray(1) : value));
  blob.end();
  if (type !== p256 || integers.some(({ length }) => length > 32))
    throw new EvidenceError('signature', `not a signature of an ${p256} key`);
  return concat(...integers.map((value) => concat(new Uint8Array(32 - value.length), value)));
}

/** An SSH ECDSA signature is two mpints (RFC 5656); DER is SEQUENCE of two INTEGERs with the same contents. */
function derFromSsh(raw: Uint8Array): Uint8Array {
  const reader = new SshReader(raw);
  const integers = [reader.string(), reader.string()];
  reader.end();
  const body = concat(...integers.map((value) => concat(Uint8Array.from([2, value.length]), value)));
  return concat(Uint8Array.from([0x30, body.length]), body);
}
