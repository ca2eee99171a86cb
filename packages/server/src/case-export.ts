import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Authority, openIn } from '@deed/authority';
import {
  type BatchJson,
  buildContainer,
  encodeBatchJson,
  encodeCaseJson,
  encodeEnvelope,
  encodePolicyManifest,
  heldRefs,
  judgeCheckpoint,
  members,
  newId,
  parseBatchJson,
  parseNote,
  parseStatement,
  parseTrust,
  type Statement,
  sha256,
  toHex,
  utf8,
} from '@deed/evidence';
import type { Entry, Ledger, PublishedCheckpoint, Timestamps } from '@deed/ledger';
import type { Database } from '@deed/store';
import { ServerError } from './errors.ts';

export interface CaseExportOptions {
  readonly db: Database;
  readonly ledger: Ledger;
  readonly authority: Authority;
  readonly trustFile: string;
  readonly writer: string;
  readonly now: () => number;
  /** How long to wait for a cosigned checkpoint, in milliseconds. */
  readonly witnessMs: number;
  /** Where timestamps are, and how long to wait for those on approve actions: a case is made without them all the same. */
  readonly stamping?: { readonly timestamps: Timestamps; readonly waitMs: number };
}

interface Held {
  readonly entry: Entry;
  readonly statement: Statement;
}

/** Statements written about the task while its case is being made: how often to begin again. */
const attempts = 5;

/**
 * Writes the case of one closed task (docs/formats/case.md): everything that its statements rest on, under a cosigned
 * checkpoint, and a statement of the export that lists it. Nothing is erased meanwhile.
 * @throws ServerError not-found, case (not closed, or no witness in time)
 */
export function exportCase(options: CaseExportOptions, task: string): Promise<Uint8Array> {
  return options.authority.custody.shared(() => tryUntilQuiet(options, task));
}

async function tryUntilQuiet(options: CaseExportOptions, task: string): Promise<Uint8Array> {
  for (let attempt = 0; attempt < attempts; attempt++) {
    const made = await tryExport(options, task);
    if (made) return made;
  }
  throw new ServerError('case', `statements about ${task} keep coming; try again when it is quiet`);
}

async function tryExport(options: CaseExportOptions, task: string): Promise<Uint8Array | null> {
  const { ledger } = options;
  const held = collect(options, task);
  const last = held.at(-1)?.entry.index ?? 0;
  const checkpoint =
    stampedHead(options, last) ?? (await inTime(ledger.witnessed(last, AbortSignal.timeout(options.witnessMs))));
  const files = new Map<string, Uint8Array>();
  const id = newId('case', options.now());
  files.set(
    members.caseJson,
    encodeCaseJson({
      v: 1,
      format: 'deed-case',
      case: id,
      origin: ledger.origin,
      tasks: [task],
      writer: options.writer,
    }),
  );
  files.set(members.claimedTrust, utf8(options.trustFile));
  for (const { entry } of held) {
    files.set(members.statement(entry.index), encodeEnvelope(entry.envelope));
    files.set(members.proof(entry.index), utf8(ledger.tlogProof(entry.index, checkpoint.note)));
  }
  addAnchors(options, held, files);
  await addStamps(options, held, checkpoint, files);
  addPayloads(options, held, files);
  addPolicies(options, held, files);
  addEvents(options, held, files);
  return seal(options, { id, task, held, checkpoint, files });
}

/** The statements of the case, in the order of the log. */
function collect({ ledger }: CaseExportOptions, task: string): Held[] {
  const read = (series: string): Held[] =>
    ledger.series(series).map((entry) => ({ entry, statement: parseStatement(entry.envelope.payload) }));
  const seq = read(task);
  const opened = seq[0];
  if (opened?.statement.predicate !== 'task-opened') throw new ServerError('not-found', `there is no task ${task}`);
  if (seq.at(-1)?.statement.predicate !== 'task-closed') {
    throw new ServerError('case', `task ${task} is open; close it first: deed task close ${task}`);
  }
  const after = read(`${task}/after`);
  const own = [...seq, ...after];
  const used = new Set(
    own.flatMap(
      ({ entry }) =>
        Buffer.from(entry.envelope.payload)
          .toString()
          .match(/\b[0-9a-f]{64}\b/g) ?? [],
    ),
  );
  const agents = read('agents');
  for (const { statement } of agents) {
    // The trust rules that admitted the agent are in the policy of its enrolment.
    if (statement.predicate === 'agent-enrolled' && statement.body.policy && used.has(statement.digest))
      used.add(statement.body.policy);
  }
  const isUsed = ({ statement }: Held): boolean =>
    used.has(statement.digest) ||
    (statement.predicate === 'policy-activated' && used.has(statement.body.bundle)) ||
    (statement.predicate === 'tool-pinned' && used.has(statement.body.definition));
  const series = [agents, read('policy'), read('tools'), read('grants')];
  const ranges = series.map((statements) => fromOldest(statements, isUsed));
  const sources = sourcesOf(own).map((source) => sinceOpening(read(`source:${source}`), opened.entry.index));
  return [...read('keys'), ...read('people'), ...own, ...ranges.flat(), ...sources.flat()].sort(
    (a, b) => a.entry.index - b.entry.index,
  );
}

function fromOldest(series: readonly Held[], isUsed: (held: Held) => boolean): readonly Held[] {
  const oldest = series.findIndex(isUsed);
  return oldest < 0 ? [] : series.slice(oldest);
}

/** The batches since the task opened, and the one before them: it shows that none was left out at the beginning. */
function sinceOpening(series: readonly Held[], opened: number): readonly Held[] {
  const first = series.findIndex(({ entry }) => entry.index > opened);
  return first < 0 ? series.slice(-1) : series.slice(Math.max(0, first - 1));
}

/** The sources that the task's reconciliations looked at. */
function sourcesOf(own: readonly Held[]): string[] {
  const named = own.flatMap(({ statement }) =>
    statement.predicate === 'reconciled' ? statement.body.sources.map(({ source }) => source) : [],
  );
  return [...new Set(named)];
}

function addAnchors({ ledger }: CaseExportOptions, held: readonly Held[], files: Map<string, Uint8Array>): void {
  const indexOf = new Map(held.map(({ entry, statement }) => [statement.digest, entry.index]));
  for (const { statement } of held) {
    if (statement.predicate !== 'outcome' || !statement.body.anchor) continue;
    const index = indexOf.get(statement.body.intent);
    const checkpoint = ledger.checkpointAt(statement.body.anchor.size);
    if (index === undefined || !checkpoint)
      throw new ServerError('case', `the checkpoint of size ${statement.body.anchor.size} is gone`);
    files.set(members.anchorProof(index), utf8(ledger.tlogProof(index, checkpoint.note)));
  }
}

/**
 * The earliest checkpoint over all of it that an authority stamped, if it has the quorum of today's trust file: it bounds every
 * statement in time.
 */
function stampedHead(
  { ledger, stamping, trustFile }: CaseExportOptions,
  last: number,
): PublishedCheckpoint | undefined {
  const stamp = stamping?.timestamps.earliestFrom(last + 1);
  const checkpoint = stamp && ledger.checkpointAt(stamp.size);
  return checkpoint && judgeCheckpoint(checkpoint.note, parseTrust(trustFile)).quorumMet ? checkpoint : undefined;
}

/** The timestamps of approve actions, as far as they come in time, and that of the case's own checkpoint, if there is one. */
async function addStamps(
  { ledger, stamping }: CaseExportOptions,
  held: readonly Held[],
  head: PublishedCheckpoint,
  files: Map<string, Uint8Array>,
): Promise<void> {
  if (!stamping) return;
  const { timestamps, waitMs } = stamping;
  const signal = AbortSignal.timeout(waitMs);
  const anchors = held.flatMap(({ statement }) =>
    statement.predicate === 'outcome' && statement.body.anchor ? [statement.body.anchor.size] : [],
  );
  const stamps = [
    ...(await Promise.all(anchors.map((size) => timestamps.soon(size, signal)))),
    timestamps.at(head.size),
  ];
  for (const stamp of stamps) {
    const note = stamp && ledger.checkpointAt(stamp.size)?.note;
    if (stamp && note !== undefined)
      files.set(members.timestamp(toHex(sha256(utf8(parseNote(note).text)))), stamp.response);
  }
}

function addPayloads({ authority }: CaseExportOptions, held: readonly Held[], files: Map<string, Uint8Array>): void {
  const others = ofOtherAgents(held);
  const refs = held.flatMap(({ statement }) => heldRefs(statement, openIn(authority.vault)));
  for (const { sha256: name, kept } of refs) {
    if (kept && !others.has(name) && authority.vault.has(name))
      files.set(members.payload(name), authority.vault.get(name));
  }
}

/** What agents enrolled by that had no part in the task: their statements are here for the series' sake, their tokens are not. */
function ofOtherAgents(held: readonly Held[]): ReadonlySet<string> {
  const own = new Set(
    held.flatMap(({ statement }) => (statement.predicate === 'task-opened' ? [statement.body.agent?.enrolled] : [])),
  );
  const others = held.flatMap(({ statement }) =>
    statement.predicate === 'agent-enrolled' && !own.has(statement.digest) && statement.body.evidence
      ? [statement.body.evidence.sha256]
      : [],
  );
  return new Set(others);
}

function addPolicies({ authority }: CaseExportOptions, held: readonly Held[], files: Map<string, Uint8Array>): void {
  for (const { statement } of held) {
    if (statement.predicate !== 'policy-activated') continue;
    const { bundle, files: listed } = statement.body;
    files.set(members.manifest(bundle), encodePolicyManifest(listed));
    const folder = authority.policy.folderOf(bundle);
    for (const path of readdirSync(folder))
      files.set(members.policyFile(bundle, path), readFileSync(join(folder, path)));
  }
}

/** Each batch's whole tree, and the whole sub-trees of the task's credentials. */
function addEvents({ db, authority }: CaseExportOptions, held: readonly Held[], files: Map<string, Uint8Array>): void {
  const own = new Set(
    held.flatMap(({ statement }) =>
      statement.predicate === 'task-opened' ? statement.body.credentials.map(({ blinded }) => blinded) : [],
    ),
  );
  for (const { statement } of held) {
    if (statement.predicate !== 'events-ingested') continue;
    const row = db.get<{ tree: string }>('SELECT tree FROM batch WHERE digest = ?', statement.digest);
    if (!row) throw new ServerError('case', `the tree of batch ${statement.digest} is gone`);
    const whole = JSON.parse(row.tree) as BatchJson;
    const disclosed = whole.disclosed.filter(({ credential }) => own.has(credential));
    files.set(members.batch(statement.digest), encodeBatchJson({ v: 1, leaves: whole.leaves, disclosed }));
    for (const name of disclosed.flatMap(({ events }) => events)) {
      if (authority.vault.has(name)) files.set(members.event(statement.digest, name), authority.vault.get(name));
    }
  }
}

interface Sealing {
  readonly id: string;
  readonly task: string;
  readonly held: readonly Held[];
  readonly checkpoint: PublishedCheckpoint;
  readonly files: Map<string, Uint8Array>;
}

/** Records case-exported, waits for its own cosigned checkpoint, and closes the container. */
async function seal(
  options: CaseExportOptions,
  { id, task, held, checkpoint, files }: Sealing,
): Promise<Uint8Array | null> {
  const { ledger } = options;
  const before = held.filter(({ statement }) => statement.series === `${task}/after`).length;
  const listed = [...files]
    .map(([name, bytes]) => ({ name, sha256: toHex(sha256(bytes)) }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const recorded = ledger.record({
    predicate: 'case-exported',
    place: { task, chain: 'after' },
    subject: { name: `case:${id}`, sha256: toHex(sha256(utf8(JSON.stringify(listed)))) },
    observed: 'gateway-executed',
    separation: { agent: 'none', tool: 'none' },
    body: {
      case: id,
      tasks: [task],
      heads: headsOf(held),
      size: checkpoint.size,
      members: listed,
      left: leftOut(options, held, files),
    },
  });
  if (recorded.position.n !== before) return null; // something was written meanwhile, which this case does not hold
  const { index } = await recorded.durable;
  const covering = await inTime(recorded.witnessed(AbortSignal.timeout(options.witnessMs)));
  const entry = ledger.entry(index);
  if (!entry) throw new ServerError('case', 'the statement of the export is gone');
  files.set(members.exported, encodeEnvelope(entry.envelope));
  files.set(members.exportedProof, utf8(ledger.tlogProof(index, covering.note)));
  return buildContainer(files);
}

function headsOf(held: readonly Held[]): { series: string; n: number; digest: string }[] {
  const heads = new Map<string, { series: string; n: number; digest: string }>();
  for (const { statement } of held) {
    const { series, position, digest } = statement;
    if (!series.endsWith('/after')) heads.set(series, { series, n: position.n, digest });
  }
  return [...heads.values()].sort((a, b) => (a.series < b.series ? -1 : 1));
}

/** What is cited and not here: erased, as a statement of the task says, or gone without one. */
function leftOut({ authority }: CaseExportOptions, held: readonly Held[], files: ReadonlyMap<string, Uint8Array>) {
  const erased = new Map(
    held.flatMap(({ statement }) =>
      statement.predicate === 'erased'
        ? statement.body.payloads.map((name) => [name, statement.body.why] as const)
        : [],
    ),
  );
  const cited = held
    .flatMap(({ statement }) => heldRefs(statement, openIn(authority.vault)))
    .flatMap(({ sha256: name, kept }) => (kept && !files.has(members.payload(name)) ? [name] : []));
  const others = ofOtherAgents(held);
  return [...new Set([...cited, ...missingEvents(files)])].sort().map((payload) => {
    const why = erased.get(payload);
    const reason = others.has(payload) ? 'the enrolment of an agent of other tasks' : 'no longer kept';
    return why === undefined
      ? { payload, how: 'withheld' as const, reason }
      : { payload, how: 'erased' as const, reason: why };
  });
}

/** Events of disclosed sub-trees that are not kept any more. */
function missingEvents(files: ReadonlyMap<string, Uint8Array>): string[] {
  return [...files].flatMap(([member, bytes]) => {
    const batch = /^events\/([0-9a-f]{64})\/batch\.json$/.exec(member)?.[1];
    if (batch === undefined) return [];
    const events = parseBatchJson(bytes).disclosed.flatMap((entry) => entry.events);
    return events.filter((name) => !files.has(members.event(batch, name)));
  });
}

async function inTime<T>(promise: Promise<T>): Promise<T> {
  try {
    return await promise;
  } catch (cause) {
    throw new ServerError('case', `no witness signed in time: is the witness running? (${(cause as Error).message})`, {
      cause,
    });
  }
}
