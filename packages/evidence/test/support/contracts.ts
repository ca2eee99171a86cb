import { batchLeaves, batchRoot } from '../../src/case/batch-tree.ts';
import { encodeBatchJson } from '../../src/case/case-json.ts';
import { members } from '../../src/case/members.ts';
import { toHex, utf8 } from '../../src/encoding.ts';
import { encodeFindingWord, type FindingWord } from '../../src/finding-word.ts';
import { randomBytes, sha256 } from '../../src/platform.ts';
import { parseStatement } from '../../src/statement.ts';
import { actors, origin, type Signer, signWord } from './actors.ts';
import { digestOf } from './props.ts';
import type { Bend, Story } from './story.ts';

const contract = {
  deed: 'effect-contract/v1',
  server: 'files',
  version: '1',
  effects: [
    {
      tools: ['write_file'],
      sources: ['files'],
      operations: ['written'],
      keys: [{ 'correlation.request': '/action' }],
      same: { 'resource.uid': '/arguments/path' },
    },
  ],
};
const mapping = {
  deed: 'source-mapping/v1',
  name: 'files',
  version: '1',
  title: 'A file server',
  records: 'lines',
  id: '/id',
  time: [{ of: '/time', form: 'iso' }],
  class_uid: 1001,
  activity: { const: 'update' },
  operation: '/did',
  status: '/status',
  credential: { kind: 'key', uid: '/key' },
  correlation: { request: '/request' },
  resource: { type: { const: 'file' }, uid: '/path' },
  coverage: ['writes'],
  notCovered: [],
  lagSeconds: 0,
};

/** How the record of the write, or what is said of it, is bent. */
export interface Contracted {
  readonly event?: Readonly<Record<string, unknown>>;
  readonly mapping?: Readonly<Record<string, unknown>> | null;
  readonly contract?: Readonly<Record<string, unknown>>;
  readonly server?: string;
  readonly confirmed?: (story: Story) => Readonly<Record<string, unknown>>;
  /** How often the record stands in the log of the source. */
  readonly times?: number;
}

/** The write of the story, confirmed by the log of a file server as its contract expects. */
export function contracted(how: Contracted = {}): Bend {
  return {
    parts: ['write'],
    after(recorded, story) {
      if (recorded.step === 'closed') tellContract(story, how);
    },
  };
}

export function tellContract(story: Story, how: Contracted = {}): void {
  declare(story, how);
  const events = ingest(story, how);
  story.record({
    step: 'files:confirmed',
    predicate: 'confirmed',
    place: { task: story.task, chain: 'after' },
    subject: { name: `action:${story.actions.write}`, sha256: story.digest('write:outcome') },
    observed: 'downstream-confirmed',
    body: {
      action: story.actions.write,
      outcome: story.digest('write:outcome'),
      events,
      how: 'exact',
      key: ['correlation.request'],
      contract: story.digest('effects'),
      skewMs: 0,
      ...how.confirmed?.(story),
    },
  });
}

function declare(story: Story, how: Contracted): void {
  const server = how.server ?? 'files';
  const text = JSON.stringify({ ...contract, server, ...how.contract });
  const payload = story.log.payload(text, 'application/vnd.deed.contract+json', true);
  story.record({
    step: 'effects',
    predicate: 'effects-declared',
    place: { series: 'tools' },
    subject: { name: `server:${server}`, sha256: payload.sha256 },
    body: { server, contract: payload },
  });
}

function ingest(story: Story, { event, mapping: other, times = 1 }: Contracted) {
  const record = {
    ...{ id: 'f-1', time: story.time(), did: 'written', status: 'success', key: story.credential },
    ...{ request: story.actions.write, path: 'docs/index.md' },
    ...event,
  };
  const objects = Array.from({ length: times }, () => {
    const object = new Uint8Array([...randomBytes(16), ...utf8(JSON.stringify(record))]);
    return { name: toHex(sha256(object)), object };
  });
  const group = { credential: story.blinded, events: objects.map(({ name }) => name) };
  const leaves = batchLeaves([group]);
  const payload =
    other === null
      ? null
      : story.log.payload(JSON.stringify({ ...mapping, ...other }), 'application/vnd.deed.mapping+json', true);
  const batch = story.record({
    step: 'files:ingested',
    predicate: 'events-ingested',
    place: { series: 'source:files' },
    subject: { name: 'source:files', sha256: batchRoot(leaves) },
    observed: 'gateway-observed',
    body: {
      source: 'files',
      reader: { name: 'mapped', version: '1', ...(payload ? { mapping: payload } : {}) },
      batch: { root: batchRoot(leaves), credentials: 1, events: times },
      position: { from: digestOf('a'), to: digestOf('b') },
      watermark: story.time(),
      coverage: ['writes'],
      problems: [],
    },
  });
  const disclosed = [{ ...group, id: story.credential, blind: toHex(story.blind) }];
  story.log.files.set(members.batch(batch.digest), encodeBatchJson({ v: 1, leaves, disclosed }));
  for (const { name, object } of objects) story.log.files.set(members.event(batch.digest, name), object);
  return objects.map(({ name }) => ({ source: 'files', batch: batch.digest, event: name }));
}

export interface FindingChange {
  readonly word?: Partial<FindingWord>;
  readonly body?: Readonly<Record<string, unknown>> | ((story: Story) => Readonly<Record<string, unknown>>);
  readonly signer?: Signer;
}

/** An operator says once, or as often as wanted, that the finding of the story is explained. */
export function findingChanged(...changes: readonly FindingChange[]): Bend {
  return {
    parts: ['push', 'reconciled'],
    after(recorded, story) {
      if (recorded.step === 'reconciled') for (const change of changes) tellFindingChanged(story, change);
    },
  };
}

export function tellFindingChanged(story: Story, over: FindingChange = {}): void {
  const statements = story.log.entries.map(({ envelope }) => parseStatement(envelope.payload));
  const found = statements.find((statement) => statement.predicate === 'finding');
  const finding = found?.predicate === 'finding' ? found.body.finding : '';
  const fields = {
    state: 'explained',
    origin,
    finding,
    until: null,
    reason: 'a known job',
    person: story.person,
  } as const;
  const bytes = encodeFindingWord({ ...fields, time: '2026-11-22T12:00:00.000Z', ...over.word });
  story.record({
    step: 'finding:changed',
    predicate: 'finding-changed',
    place: { task: story.task, chain: 'after' },
    subject: { name: `finding:${finding}`, sha256: toHex(sha256(bytes)) },
    body: {
      ...{ finding, state: 'explained', until: null, reason: 'a known job', by: story.person, cites: null },
      word: signWord('deed-finding-v1', bytes, over.signer ?? actors.person),
      ...(typeof over.body === 'function' ? over.body(story) : over.body),
    },
  });
}
