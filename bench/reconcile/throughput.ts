import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { compileMapping, parseMapping, type Reader, type SourceEvent } from '@deed/evidence';
import { shippedMapping } from '@deed/reconcile';
import type { MatchEvent } from '../../packages/reconcile/src/match/claim.ts';
import { match } from '../../packages/reconcile/src/match/match.ts';
import { inject, randomOf } from './injector.ts';

/** Events of one task. */
export const taskEvents = 100;
const perThread = 200_000;

interface Shares {
  readonly events: number;
  readonly seconds: number;
  readonly parse: number;
  readonly hash: number;
  readonly read: number;
  readonly match: number;
}

/** Lines of a log in the form of CloudTrail, about 1.2 KB each, from one place in it on. */
export function lines(count: number, random: () => number, from = 0): readonly Buffer[] {
  const names = ['GetObject', 'PutObject', 'DescribeInstances', 'RunInstances', 'ListBuckets', 'AssumeRole'];
  return Array.from({ length: count }, (_, n) => {
    const i = from + n;
    const eventName = names[Math.floor(random() * names.length)];
    return Buffer.from(
      JSON.stringify({
        eventVersion: '1.11',
        userIdentity: {
          ...{ type: 'AssumedRole', principalId: `AROAEXAMPLE:task-${i % 97}`, accountId: '111122223333' },
          ...{
            arn: `arn:aws:sts::111122223333:assumed-role/agent/task-${i % 97}`,
            accessKeyId: `ASIAEXAMPLE${i % 97}`,
          },
          sessionContext: {
            sessionIssuer: { type: 'Role', arn: 'arn:aws:iam::111122223333:role/agent' },
            attributes: { mfaAuthenticated: 'false' },
          },
        },
        eventTime: new Date(1_795_348_800_000 + i * 20).toISOString().replace(/\.\d+/, ''),
        ...{ eventSource: 's3.amazonaws.com', eventName, awsRegion: 'eu-central-1', sourceIPAddress: '192.0.2.7' },
        userAgent: '[aws-sdk-js/3.900.0 ua/2.1 os/linux#6.1 lang/js md/nodejs#24.0.0 api/s3#3.900.0]',
        requestParameters: {
          bucketName: `bucket-${i % 31}`,
          key: `objects/${i}`,
          Host: 's3.eu-central-1.amazonaws.com',
          tags: ['a', 'b'],
        },
        responseElements: { 'x-amz-server-side-encryption': 'AES256', 'x-amz-version-id': `v${i}` },
        additionalEventData: {
          SignatureVersion: 'SigV4',
          CipherSuite: 'TLS_AES_128_GCM_SHA256',
          bytesTransferredIn: 0,
          bytesTransferredOut: i,
        },
        ...{ requestID: `req-${i}`, eventID: `00000000-0000-4000-8000-${String(i).padStart(12, '0')}` },
        ...{
          readOnly: eventName === 'GetObject',
          eventType: 'AwsApiCall',
          managementEvent: false,
          recipientAccountId: '111122223333',
        },
        tlsDetails: {
          tlsVersion: 'TLSv1.3',
          cipherSuite: 'TLS_AES_128_GCM_SHA256',
          clientProvidedHostHeader: 'bucket.s3.eu-central-1.amazonaws.com',
        },
      }),
    );
  });
}

const decoder = new TextDecoder('utf-8', { fatal: true });

/** Parses, hashes, normalises and matches the events of one task; what each took, in milliseconds, and what making up its receipts took. */
export function workOn(part: readonly Buffer[], read: Reader, random: () => number) {
  const t0 = performance.now();
  const records = part.map((line) => JSON.parse(decoder.decode(line)));
  const t1 = performance.now();
  const names = part.map((line) => createHash('sha256').update(line).digest('hex'));
  const t2 = performance.now();
  const events = records.map(read).filter((event): event is SourceEvent => typeof event === 'object' && event !== null);
  const t3 = performance.now();
  // The receipts of the task are there already: making them up is not measured.
  const made = inject('s', events, { keys: 0.5, skewMs: 2_000, rate: 0.05 }, random);
  const proven = made.events.map(
    (event, i): MatchEvent => ({ ...event, ref: { ...event.ref, event: names[i] ?? event.ref.event } }),
  );
  const t4 = performance.now();
  match({
    task: { opened: 'o', begun: '2000-01-01T00:00:00.000Z', closed: { digest: 'c', time: made.closed } },
    ...{ claims: made.claims, judged: [], events: proven },
    reach: [{ source: 's', watermark: '2100-01-01T00:00:00.000Z', since: null, skewMs: 2_000, gaps: [] }],
    ...{ possible: new Map(), ambient: new Map() },
  });
  return { parse: t1 - t0, hash: t2 - t1, read: t3 - t2, prepared: t4 - t3, match: performance.now() - t4 };
}

export const cloudtrailReader = (): Reader => compileMapping(parseMapping(shippedMapping('aws-cloudtrail')));

/** One thread's work. */
function work(count: number): Shares {
  const random = randomOf(5);
  const raw = lines(count, random);
  const read = cloudtrailReader();
  const spent = { parse: 0, hash: 0, read: 0, match: 0 };
  let prepared = 0;
  const begun = performance.now();
  for (let at = 0; at < raw.length; at += taskEvents) {
    const took = workOn(raw.slice(at, at + taskEvents), read, random);
    for (const key of ['parse', 'hash', 'read', 'match'] as const) spent[key] += took[key];
    prepared += took.prepared;
  }
  return { events: count, seconds: (performance.now() - begun - prepared) / 1000, ...spent };
}

/** On two threads, each with tasks of its own, as two processes that share the sources by credential would. */
export async function throughput(threads = 2): Promise<readonly Shares[]> {
  return Promise.all(
    Array.from({ length: threads }, () => {
      const worker = new Worker(fileURLToPath(import.meta.url), {
        workerData: perThread,
        execArgv: ['--conditions=deed-source'],
      });
      return new Promise<Shares>((resolve, reject) => worker.once('message', resolve).once('error', reject));
    }),
  );
}

export function throughputText(shares: readonly Shares[]): string {
  const rate = shares.reduce((sum, { events, seconds }) => sum + events / seconds, 0);
  const micros = (key: 'parse' | 'hash' | 'read' | 'match') =>
    (
      (shares.reduce((sum, each) => sum + each[key], 0) * 1000) /
      shares.reduce((sum, each) => sum + each.events, 0)
    ).toFixed(1);
  return [
    '| events/s on two threads | µs an event: JSON | SHA-256 | mapping | matching |',
    '|---|---|---|---|---|',
    `| ${Math.round(rate)} | ${micros('parse')} | ${micros('hash')} | ${micros('read')} | ${micros('match')} |`,
  ].join('\n');
}

if (!isMainThread) parentPort?.postMessage(work(workerData as number));
