import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { z } from 'zod';
import { ReconcileError } from '../errors.ts';
import { filesOf } from '../mapped/log-folder.ts';

const maxBytes = 64 * 1024 * 1024;
const hex = z.string().regex(/^[0-9a-f]+$/i);
const moment = z.iso.datetime();

/** A digest file of CloudTrail (AWS CloudTrail User Guide, "CloudTrail digest file structure"). Other members are left alone. */
const form = z.object({
  awsAccountId: z.string().max(64),
  digestStartTime: moment,
  digestEndTime: moment,
  digestS3Bucket: z.string().max(1024),
  digestS3Object: z.string().max(2048),
  digestPublicKeyFingerprint: hex,
  digestSignatureAlgorithm: z.literal('SHA256withRSA'),
  previousDigestS3Object: z.string().max(2048).nullable(),
  previousDigestHashValue: hex.nullable(),
  previousDigestSignature: hex.nullable(),
  logFiles: z.array(
    z.object({
      s3Object: z.string().max(2048),
      hashValue: hex,
      hashAlgorithm: z.literal('SHA-256'),
      newestEventTime: moment.nullable(),
      oldestEventTime: moment.nullable(),
    }),
  ),
});

export interface Digest {
  readonly said: z.infer<typeof form>;
  /** SHA-256 (hex) of the file, unpacked. */
  readonly sha256: string;
  /** The trail and region whose digests follow each other. */
  readonly chain: string;
  /** The signature that lies beside the file (`.signature`), where it does: in S3 it is the metadata `signature`. */
  readonly signature: string | null;
}

/** Keys by their fingerprint. */
export type DigestKeys = ReadonlyMap<string, KeyObject>;

const keysForm = z.object({
  PublicKeyList: z.array(z.object({ Value: z.base64(), Fingerprint: hex })).min(1),
});

/** What `aws cloudtrail list-public-keys` printed. @throws ReconcileError source */
export function readDigestKeys(text: string): DigestKeys {
  try {
    const { PublicKeyList } = keysForm.parse(JSON.parse(text));
    return new Map(
      PublicKeyList.map(({ Value, Fingerprint }) => [
        Fingerprint.toLowerCase(),
        createPublicKey({ key: Buffer.from(Value, 'base64'), format: 'der', type: 'pkcs1' }),
      ]),
    );
  } catch (cause) {
    const why = `the keys of the digest files are not what list-public-keys prints: ${(cause as Error).message}`;
    throw new ReconcileError('source', why.slice(0, 400), { cause });
  }
}

/** The digest files below a folder, by chain, each by its end; and what is none. @throws ReconcileError unreachable */
export function readDigests(folder: string): {
  readonly chains: ReadonlyMap<string, readonly Digest[]>;
  readonly problems: readonly string[];
} {
  const problems: string[] = [];
  const digests: Digest[] = [];
  for (const { name, path } of filesOf(folder, /\.json(\.gz)?$/)) {
    try {
      const bytes = unpacked(path);
      const said = form.parse(JSON.parse(bytes.toString('utf8')));
      if (basename(said.digestS3Object).replace(/\.gz$/, '') !== basename(path).replace(/\.gz$/, ''))
        throw new Error(`it says that it is ${said.digestS3Object}`);
      digests.push({ said, sha256: sha256(bytes), chain: chainOf(said.digestS3Object), signature: besideOf(path) });
    } catch (cause) {
      problems.push(`digest file ${name} cannot be read: ${(cause as Error).message.slice(0, 200)}`);
    }
  }
  digests.sort((a, b) => compare(a.said.digestEndTime, b.said.digestEndTime));
  return { chains: Map.groupBy(digests, ({ chain }) => chain), problems };
}

/** A file as it was before it was compressed, where it is. @throws Error */
export function unpacked(path: string): Buffer {
  const bytes = readFileSync(path);
  return path.endsWith('.gz') ? gunzipSync(bytes, { maxOutputLength: maxBytes }) : bytes;
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Whether this signature, in hex, is that of CloudTrail over the digest file and the signature before it. */
export function isSigned({ said, sha256: own }: Digest, signature: string, keys: DigestKeys): boolean {
  const key = keys.get(said.digestPublicKeyFingerprint.toLowerCase());
  if (!key) return false;
  const { digestEndTime, digestS3Bucket, digestS3Object, previousDigestSignature } = said;
  const signed = [digestEndTime, `${digestS3Bucket}/${digestS3Object}`, own, previousDigestSignature ?? 'null'];
  return verify('sha256', Buffer.from(signed.join('\n')), key, Buffer.from(signature, 'hex'));
}

/** `<account>_CloudTrail-Digest_<region>_<trail>_<home region>_<time>.json.gz`, without its time. */
function chainOf(object: string): string {
  return basename(object).replace(/_\d{8}T\d{6}Z(_backfill)?\.json(\.gz)?$/, '');
}

function besideOf(path: string): string | null {
  try {
    const text = readFileSync(`${path}.signature`, 'utf8').trim();
    return hex.safeParse(text).success ? text : null;
  } catch {
    return null;
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
