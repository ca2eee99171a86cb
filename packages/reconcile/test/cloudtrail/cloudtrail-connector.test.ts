import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { beforeEach, describe, expect, it } from 'vitest';
import { cloudtrailConnector } from '../../src/cloudtrail/cloudtrail-connector.ts';
import { shippedMapping } from '../../src/index.ts';

const mapping = Buffer.from(shippedMapping('aws-cloudtrail')).toString();
const sha256 = (bytes: string | Buffer) => createHash('sha256').update(bytes).digest('hex');
const hour = (n: number) => `2026-11-22T${String(n).padStart(2, '0')}:00:00Z`;
const pair = generateKeyPairSync('rsa', { modulusLength: 2048 });
const fingerprint = 'a1'.repeat(16);
const keysOf = (key = pair.publicKey) => {
  const Value = key.export({ type: 'pkcs1', format: 'der' }).toString('base64');
  return JSON.stringify({
    PublicKeyList: [{ Value, Fingerprint: fingerprint, ValidityStartTime: 1, ValidityEndTime: 2 }],
  });
};
const nowhere = { chains: {}, watermark: null };

let dir: string;
let previous: { object: string; sha256: string; signature: string } | null;
const logPath = (n: number) => join(dir, 'logs', `111_CloudTrail_eu_${n}.json.gz`);
const digestName = (n: number) =>
  `111_CloudTrail-Digest_eu_trail_eu_20261122T${String(n).padStart(2, '0')}0000Z.json.gz`;
const digestPath = (n: number) => join(dir, 'digests', digestName(n));

/** What CloudTrail delivers in one hour: a log file with one event, and the digest file that names it. By the documented form. */
function deliver(n: number, key = pair.privateKey): void {
  const record = {
    ...{ eventVersion: '1.11', eventTime: hour(n - 1).replace('00:00Z', '30:00Z'), eventSource: 's3.amazonaws.com' },
    ...{ eventName: 'PutObject', awsRegion: 'eu', requestID: `r${n}`, eventID: `e${n}`, readOnly: false },
    userIdentity: { type: 'AssumedRole', arn: 'arn:aws:sts::111:assumed-role/a/b', accessKeyId: 'ASIAEXAMPLE' },
  };
  const log = JSON.stringify({ Records: [record] });
  writeFileSync(logPath(n), gzipSync(log));
  const object = `AWSLogs/111/CloudTrail-Digest/eu/2026/11/22/${digestName(n)}`;
  const digest = JSON.stringify({
    ...{ awsAccountId: '111', digestStartTime: hour(n - 1), digestEndTime: hour(n), digestS3Bucket: 'trail-bucket' },
    ...{ digestS3Object: object, digestPublicKeyFingerprint: fingerprint, digestSignatureAlgorithm: 'SHA256withRSA' },
    ...{ newestEventTime: record.eventTime, oldestEventTime: record.eventTime, previousDigestS3Bucket: 'trail-bucket' },
    previousDigestS3Object: previous?.object ?? null,
    previousDigestHashValue: previous?.sha256 ?? null,
    ...{ previousDigestHashAlgorithm: 'SHA-256', previousDigestSignature: previous?.signature ?? null },
    logFiles: [
      {
        ...{ s3Bucket: 'trail-bucket', s3Object: `AWSLogs/111/CloudTrail/eu/111_CloudTrail_eu_${n}.json.gz` },
        ...{ hashValue: sha256(log), hashAlgorithm: 'SHA-256' },
        ...{ newestEventTime: record.eventTime, oldestEventTime: record.eventTime },
      },
    ],
  });
  writeFileSync(digestPath(n), gzipSync(digest));
  const text = `${hour(n)}\ntrail-bucket/${object}\n${sha256(digest)}\n${previous?.signature ?? 'null'}`;
  previous = { object, sha256: sha256(digest), signature: sign('sha256', Buffer.from(text), key).toString('hex') };
}

/** As an administrator keeps the metadata of the newest digest. */
const keepSignature = (n: number) => writeFileSync(`${digestPath(n)}.signature`, previous?.signature ?? '');
const given = (over: object = {}) => ({
  ...{ path: join(dir, 'logs'), digests: join(dir, 'digests'), keys: keysOf(), mapping, lagSeconds: 0 },
  ...over,
});
const read = (from: typeof nowhere | Parameters<typeof cloudtrailConnector.read>[1] = nowhere, over: object = {}) =>
  cloudtrailConnector.read(given(over), from, 1000);
const ids = ({ records }: { records: readonly { event: { id: string } }[] }) => records.map(({ event }) => event.id);

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'deed-trail-'));
  for (const name of ['logs', 'digests']) mkdirSync(join(dir, name));
  previous = null;
  for (const n of [1, 2, 3, 4]) deliver(n);
});

describe('a trail with digest files', () => {
  it('is read as far as its digests are signed, and on from there', async () => {
    const first = await read();
    expect(first).toMatchObject({ problems: [], gaps: [], more: false, watermark: '2026-11-22T03:00:00.000Z' });
    expect(ids(first)).toEqual(['e1', 'e2', 'e3']);
    keepSignature(4);
    const second = await read(first.to);
    expect(ids(second)).toEqual(['e4']);
    expect(second.watermark).toBe('2026-11-22T04:00:00.000Z');
    deliver(5);
    deliver(6);
    expect(ids(await read(second.to))).toEqual(['e5']);
    expect(ids(await read(second.to, { lagSeconds: 900 }))).toEqual(['e5']);
    const start = await cloudtrailConnector.start(given());
    expect(start).toMatchObject({ records: [], watermark: '2026-11-22T05:00:00.000Z' });
    expect(await cloudtrailConnector.check?.(given())).toMatchObject([{ ok: true }, { ok: true }]);
  });

  it('is read in parts, a digest at a time', async () => {
    const one = await cloudtrailConnector.read(given(), nowhere, 1);
    expect([ids(one), one.more]).toEqual([['e1'], true]);
    const two = await cloudtrailConnector.read(given(), one.to, 10);
    expect([ids(two), two.more]).toEqual([['e2', 'e3'], false]);
  });

  it('has nothing of a log file that was changed, taken away or cut, and says so for its time', async () => {
    const other = gunzipSync(readFileSync(logPath(1)))
      .toString()
      .replace('PutObject', 'GetObject');
    writeFileSync(logPath(1), gzipSync(other));
    rmSync(logPath(2));
    writeFileSync(logPath(3), readFileSync(logPath(3)).subarray(0, 40));
    const reading = await read();
    expect(ids(reading)).toEqual([]);
    expect(reading.gaps).toMatchObject([
      { from: '2026-11-22T00:30:00.000Z', why: expect.stringContaining('is not the one that was delivered') },
      { from: '2026-11-22T01:30:00.000Z', why: expect.stringContaining('is missing') },
      { from: '2026-11-22T02:30:00.000Z', why: expect.stringContaining('cannot be read') },
    ]);
    expect((await cloudtrailConnector.check?.(given()))?.[1]).toMatchObject({ ok: false });
  });

  it('reads no log file that no digest names', async () => {
    writeFileSync(
      logPath(9),
      gzipSync(
        gunzipSync(readFileSync(logPath(1)))
          .toString()
          .replace('"e1"', '"forged"'),
      ),
    );
    expect(ids(await read())).toEqual(['e1', 'e2', 'e3']);
  });

  it('has a gap where a digest is missing, and where logging began anew', async () => {
    rmSync(digestPath(2));
    const reading = await read();
    expect(ids(reading)).toEqual(['e3']);
    expect(reading.gaps).toMatchObject([
      { to: '2026-11-22T01:00:00.000Z', why: expect.stringContaining('no valid signature') },
      { from: '2026-11-22T01:00:00.000Z', to: '2026-11-22T02:00:00.000Z', why: expect.stringContaining('is missing') },
    ]);
    previous = null;
    deliver(6);
    keepSignature(6);
    const anew = await read(reading.to);
    expect(anew.gaps?.map(({ why }) => why)).toEqual([
      expect.stringContaining('no valid signature'),
      expect.stringContaining('logging began anew'),
    ]);
    expect(ids(anew)).toEqual(['e6']);
  });

  it('believes no digest that another key signed, that was changed, or that stands under another name', async () => {
    const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 });
    expect(ids(await read(nowhere, { keys: keysOf(stranger.publicKey) }))).toEqual([]);
    const digest = gunzipSync(readFileSync(digestPath(2))).toString();
    const forged = digest.replace(/"hashValue":"[0-9a-f]{4}/, '"hashValue":"0000');
    expect(forged).not.toBe(digest);
    writeFileSync(digestPath(2), gzipSync(forged));
    const changed = await read();
    expect(ids(changed)).toEqual(['e1', 'e3']);
    expect(changed.problems).toEqual([expect.stringContaining('is not the one that the next one names')]);
    writeFileSync(digestPath(2), gzipSync(digest));
    renameSync(digestPath(3), digestPath(8));
    expect((await read()).problems).toEqual([expect.stringContaining('it says that it is')]);
    writeFileSync(digestPath(7), 'no digest');
    expect((await read()).problems).toHaveLength(2);
    await expect(read(nowhere, { keys: '{}' })).rejects.toMatchObject({ code: 'source' });
    await expect(read(nowhere, { digests: join(dir, 'gone') })).rejects.toMatchObject({ code: 'unreachable' });
  });
});
