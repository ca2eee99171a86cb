import { basename } from 'node:path';
import { utf8 } from '@deed/evidence';
import { z } from 'zod';
import type { Connector, Gap, Reading, SourceCheck, SourceRecord } from '../connector.ts';
import { ReconcileError } from '../errors.ts';
import { filesOf } from '../mapped/log-folder.ts';
import { compiledOf, eventOf } from '../mapped/mapped-connector.ts';
import { readRecords } from '../mapped/raw-records.ts';
import { endOf, lagSeconds, looked } from '../reading.ts';
import {
  type Digest,
  type DigestKeys,
  isSigned,
  readDigestKeys,
  readDigests,
  sha256,
  unpacked,
} from './digest-chain.ts';

const config = z.strictObject({
  /** The folder with the log files, at whatever depth. */
  path: z.string().startsWith('/'),
  /** The folder with the digest files; the signature of the newest lies beside it as `<file>.signature`, if it is at hand. */
  digests: z.string().startsWith('/'),
  /** What `aws cloudtrail list-public-keys` printed, verbatim. */
  keys: z
    .string()
    .min(1)
    .max(1024 * 1024),
  /** The mapping of the records, verbatim. */
  mapping: z.string().min(1),
  lagSeconds,
});
type Config = z.infer<typeof config>;

/** The newest digest of each trail and region that was read. */
interface Place {
  readonly chains: Readonly<Record<string, Link>>;
  readonly watermark: string | null;
}

interface Link {
  readonly object: string;
  readonly end: string;
  readonly sha256: string;
}

/**
 * CloudTrail's log files, each read only once a signed digest file names it with its hash (AWS CloudTrail User Guide, "Validating CloudTrail log file
 * integrity"): nobody can have changed, added or taken one since it was delivered. The digests say how far the log reaches. They come once an hour, and the
 * signature of each stands in the next.
 */
export const cloudtrailConnector: Connector<Config, Place> = {
  kind: 'cloudtrail',
  version: '1',
  config,
  start: async (given) => endOf<Place>((from, limit) => read(given, from, limit), { chains: {}, watermark: null }),
  read: async (given, from, limit) => read(given, from, limit),
  rule: ({ mapping }) => utf8(mapping),
  check: async (given) => check(given),
  skewMs: 2_000,
};

function read(given: Config, from: Place, limit: number): Reading<Place> {
  const { mapping } = compiledOf(given.mapping);
  const { chains, problems } = readDigests(given.digests);
  const reader = new TrailReader(given, readDigestKeys(given.keys), limit);
  const links: Record<string, Link> = { ...from.chains };
  for (const [name, digests] of chains) {
    const link = reader.follow(digests, from.chains[name] ?? null);
    if (link) links[name] = link;
  }
  const [reached = null] = Object.values(links)
    .map(({ end }) => end)
    .sort();
  const lagMs = (given.lagSeconds ?? mapping.lagSeconds) * 1000;
  const read = reached === null ? null : new Date(Date.parse(reached) - lagMs).toISOString();
  const watermark = from.watermark !== null && (read === null || read < from.watermark) ? from.watermark : read;
  const coverage = [...mapping.coverage, 'log files that a signed digest file names, with the hash that it gives'];
  return {
    records: reader.records,
    to: { chains: links, watermark },
    ...{ watermark, coverage, gaps: reader.gaps, more: reader.isFull },
    problems: [...problems, ...reader.problems],
  };
}

class TrailReader {
  readonly records: SourceRecord[] = [];
  readonly gaps: Gap[] = [];
  readonly problems: string[] = [];
  private readonly given: Config;
  private readonly keys: DigestKeys;
  private readonly limit: number;
  private readonly files: ReadonlyMap<string, string>;

  constructor(given: Config, keys: DigestKeys, limit: number) {
    this.given = given;
    this.keys = keys;
    this.limit = limit;
    this.files = new Map(filesOf(given.path, /\.json(\.gz)?$/).map(({ path }) => [nameOf(path), path]));
  }

  get isFull(): boolean {
    return this.records.length >= this.limit;
  }

  /** Goes on in a chain, as far as it is signed. */
  follow(digests: readonly Digest[], last: Link | null): Link | null {
    let link = last;
    for (const [i, digest] of digests.entries()) {
      const { said } = digest;
      if (link && said.digestEndTime <= link.end) continue;
      if (this.isFull) break;
      const next = digests[i + 1];
      const signature =
        next?.said.previousDigestS3Object === said.digestS3Object
          ? next.said.previousDigestSignature
          : digest.signature;
      // The newest: its signature comes with the next one.
      if (!signature && !next) break;
      if (link) this.checkLink(link, digest);
      if (signature && isSigned(digest, signature, this.keys)) this.readLogs(digest);
      else this.miss(said.digestStartTime, said.digestEndTime, `digest ${said.digestS3Object} has no valid signature`);
      link = { object: said.digestS3Object, end: said.digestEndTime, sha256: digest.sha256 };
    }
    return link;
  }

  private checkLink({ object, end, sha256: known }: Link, { said }: Digest): void {
    const { previousDigestS3Object: before, previousDigestHashValue: hash, digestS3Object, digestStartTime } = said;
    if (before === null) this.miss(end, digestStartTime, `logging began anew with digest ${digestS3Object}`);
    else if (before !== object) this.miss(end, digestStartTime, `digest ${before} is missing`);
    else if (hash?.toLowerCase() !== known)
      this.problems.push(`digest ${object} is not the one that the next one names`);
  }

  private readLogs({ said }: Digest): void {
    for (const { s3Object, hashValue, oldestEventTime, newestEventTime } of said.logFiles) {
      const [from, to] = [oldestEventTime ?? said.digestStartTime, newestEventTime ?? said.digestEndTime];
      const path = this.files.get(nameOf(s3Object));
      if (path === undefined) {
        this.miss(from, to, `log file ${s3Object} is missing`);
        continue;
      }
      try {
        if (sha256(unpacked(path)) !== hashValue.toLowerCase())
          this.miss(from, to, `log file ${s3Object} is not the one that was delivered`);
        else this.readLog(s3Object, path, from, to);
      } catch (cause) {
        this.miss(from, to, `log file ${s3Object} cannot be read: ${(cause as Error).message}`);
      }
    }
  }

  private readLog(name: string, path: string, from: string, to: string): void {
    const { mapping, reader } = compiledOf(this.given.mapping);
    const { records, problems } = readRecords({ name, path }, mapping.records);
    for (const problem of problems) this.miss(from, to, problem);
    for (const { raw, at } of records) {
      const event = eventOf(reader, raw);
      if (typeof event === 'string') this.miss(from, to, `${at}: ${event}`);
      else if (event !== null) this.records.push({ raw, event });
    }
  }

  private miss(from: string, to: string, why: string): void {
    const [a, b] = [new Date(from).toISOString(), new Date(to).toISOString()];
    this.gaps.push({ from: a < b ? a : b, to: a < b ? b : a, why });
  }
}

/** Names are compared without the folder and the compression: copies are kept either way. */
function nameOf(path: string): string {
  return basename(path).replace(/\.gz$/, '');
}

function check(given: Config): readonly SourceCheck[] {
  const whole = () => {
    const { gaps = [], problems, to } = read(given, { chains: {}, watermark: null }, Number.POSITIVE_INFINITY);
    const wrong = [...gaps.map(({ why }) => why), ...problems];
    if (wrong.length > 0) throw new ReconcileError('source', wrong.slice(0, 20).join('; '));
    const ends = Object.values(to.chains).map(({ end }) => end);
    if (ends.length === 0) throw new ReconcileError('source', 'no digest file is followed by another one yet');
    return `${ends.length} ${ends.length === 1 ? 'chain' : 'chains'}, signed up to ${ends.sort()[0]}`;
  };
  return [
    looked('keys of the digest files', () => `${readDigestKeys(given.keys).size} known`),
    looked('digest files and the log files that they name', whole),
  ];
}
