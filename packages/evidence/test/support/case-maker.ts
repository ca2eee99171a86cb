import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodeCaseJson } from '../../src/case/case-json.ts';
import { buildContainer } from '../../src/case/container.ts';
import { members } from '../../src/case/members.ts';
import { toBase64, toHex, utf8 } from '../../src/encoding.ts';
import { newId } from '../../src/ids.ts';
import { formatTrust, parseTrust, type Trust } from '../../src/log/trust.ts';
import { sha256 } from '../../src/platform.ts';
import type { Report } from '../../src/verify/report.ts';
import { verify } from '../../src/verify/verify.ts';
import { actors, type NoteSigner, origin } from './actors.ts';
import type { Files } from './log-maker.ts';
import { start } from './props.ts';
import { type Bend, Story } from './story.ts';

export interface MadeCase {
  readonly story: Story;
  /** The members as they are in the file; tests change a copy and call {@link pack}. */
  readonly members: ReadonlyMap<string, Uint8Array>;
  readonly file: Uint8Array;
}

/** The trust file that fits a story whose log has these keys. */
export const trustTextOf = (logs: readonly NoteSigner[]): string =>
  formatTrust({
    logs: logs.map(({ key }) => ({ key })),
    witnesses: [{ name: 'notary', key: actors.witness.key }],
    groups: [],
    quorum: 'notary',
    root: actors.root.keyid,
    tsas: [],
    compromised: [],
    maxAgeSeconds: 86_400,
  });
export const trustText = trustTextOf(actors.logs);
export const trust = parseTrust(trustText);
/** An hour after the story began. */
export const nowMs = start + 3_600_000;

/** Makes a case: an honest one, but for what the test bends. */
export function makeCase(bend: Bend = {}): MadeCase {
  const story = new Story(bend).tell();
  const files = seal(story, bend);
  return { story, members: files, file: buildContainer(files) };
}

/** Exports what a story told. */
export function seal(story: Story, bend: Bend = {}): Files {
  const { log } = story;
  const id = newId('case', start);
  const { logKeys = story.logs, witnesses = [actors.witness] } = bend;
  const signers = [...logKeys, ...witnesses];
  const files: Files = new Map(log.files);
  const checkpoint = log.checkpoint(log.size, signers);
  files.set(
    members.caseJson,
    encodeCaseJson({ v: 1, format: 'deed-case', case: id, origin, tasks: [story.task], writer: 'test' }),
  );
  files.set(members.claimedTrust, utf8(trustTextOf(story.logs)));
  for (const entry of log.entries) {
    files.set(members.statement(entry.index), log.envelope(entry));
    files.set(members.proof(entry.index), log.proof(entry.index, checkpoint));
  }
  bend.files?.(files, story);
  const listed = [...files].map(([name, bytes]) => ({ name, sha256: toHex(sha256(bytes)) }));
  listed.sort((a, b) => (a.name < b.name ? -1 : 1));
  const heads = new Map(log.entries.map((entry) => [entry.series, entry]));
  const exported = story.record({
    step: 'exported',
    predicate: 'case-exported',
    place: { task: story.task, chain: 'after' },
    subject: { name: `case:${id}`, sha256: toHex(sha256(utf8(JSON.stringify(listed)))) },
    body: {
      case: id,
      tasks: [story.task],
      heads: [...heads.values()]
        .filter(({ series }) => !series.endsWith('/after'))
        .map(({ series, n, digest }) => ({ series, n, digest })),
      size: checkpoint.size,
      members: listed,
      left: [],
    },
  });
  files.set(members.exported, log.envelope(exported));
  files.set(members.exportedProof, log.proof(exported.index, log.checkpoint(log.size, signers)));
  return files;
}

/** The container of these members, in the one form. */
export function pack(files: ReadonlyMap<string, Uint8Array>): Uint8Array {
  return buildContainer(files);
}

/** What was verified, and what was said of it: read by the tests that let another platform say it too. */
export interface KeptCase {
  /** Base64. */
  readonly file: string;
  /** The trust file. */
  readonly trust: string;
  readonly nowMs: number;
  readonly report: Report;
}

/** A folder in which every case that these tests verify is kept, when somebody asks for it. */
const keepFolder = process.env.DEED_KEEP_CASES;
let kept = 0;

/** Verifies with the trust file of the story, an hour after it began. */
export function examine(file: Uint8Array, over: { readonly trust?: Trust; readonly nowMs?: number } = {}): Report {
  const options = { trust, nowMs, ...over };
  const report = verify(file, options);
  if (keepFolder !== undefined) {
    const text: KeptCase = { ...options, file: toBase64(file), trust: formatTrust(options.trust), report };
    writeFileSync(join(keepFolder, `${process.pid}-${kept++}.json`), JSON.stringify(text));
  }
  return report;
}

/** The first reason of a check, for tests that name which check refused. */
export function reasonsOf(report: Report, check: string): string[] {
  return report.reasons.filter((reason) => reason.check === check).map(({ message }) => message);
}
