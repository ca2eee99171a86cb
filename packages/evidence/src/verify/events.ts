import { batchRoot, eventsRoot } from '../case/batch-tree.ts';
import { type BatchJson, parseBatchJson } from '../case/case-json.ts';
import { members } from '../case/members.ts';
import { blindCredential } from '../credential.ts';
import { fromHex } from '../encoding.ts';
import { openPayload } from '../payload.ts';
import type { EventRef } from '../predicates.ts';
import type { StatementWith } from '../statement.ts';
import { checkConfirmed } from './corroboration.ts';
import { isErased, taskCredentials } from './event-credentials.ts';
import { type Examination, type Logged, label, need } from './examination.ts';

type Batch = Logged<StatementWith<'events-ingested'>>;

/** The other systems' own records: nothing slipped in, nothing dropped, and what they confirm is matched again. */
export function checkEvents(exam: Examination): string | null {
  const disclosed = new Map<string, string>();
  for (const batch of exam.all('events-ingested')) {
    exam.attempt(label(batch), () => {
      for (const event of checkBatch(exam, batch)) disclosed.set(`${batch.statement.digest}/${event}`, label(batch));
    });
  }
  const explained = new Set<string>();
  for (const confirmed of exam.all('confirmed')) {
    for (const ref of confirmed.statement.body.events) {
      if (explained.has(key(ref))) exam.forged(`${label(confirmed)}: event ${ref.event} is confirmed twice`);
      explained.add(key(ref));
    }
    exam.attempt(label(confirmed), () => checkConfirmed(exam, confirmed));
  }
  for (const finding of exam.all('finding')) for (const ref of finding.statement.body.events) explained.add(key(ref));
  for (const { statement } of exam.all('reconciled'))
    for (const ref of statement.body.ambient ?? []) explained.add(key(ref));
  checkBeginnings(exam);
  checkReconciled(exam);
  for (const [event, where] of disclosed) {
    if (explained.has(event)) continue;
    if (!wasReconciled(exam, event)) exam.unjudgedEvents++;
    else {
      exam.incomplete(`${where}: event ${event.slice(65)} of the task's credential is neither confirmed nor a finding`);
    }
  }
  return `${disclosed.size} events of the task's credentials`;
}

function key(ref: EventRef): string {
  return `${ref.batch}/${ref.event}`;
}

/** Checks a batch tree and returns the events of the tasks' credentials that it discloses. */
function checkBatch(exam: Examination, batch: Batch): string[] {
  const { digest, body } = batch.statement;
  const bytes = exam.members.get(members.batch(digest));
  if (!bytes) {
    exam.incomplete(`${label(batch)}: its tree is not here`);
    return [];
  }
  const json = parseBatchJson(bytes);
  const total = json.leaves.reduce((sum, leaf) => sum + leaf.events, 0);
  need(
    batchRoot(json.leaves) === body.batch.root && batch.statement.subject.sha256 === body.batch.root,
    'its tree has another root',
  );
  need(json.leaves.length === body.batch.credentials && total === body.batch.events, 'its tree has other counts');
  const sorted = json.leaves.every((leaf, i) => i === 0 || (json.leaves[i - 1]?.credential ?? '') < leaf.credential);
  need(sorted, 'its tree is not sorted by credential');
  for (const entry of json.disclosed) checkDisclosed(exam, digest, json, entry);
  exam.batches.set(digest, json);
  const shown = new Map(json.disclosed.map((entry) => [entry.credential, entry]));
  const events: string[] = [];
  for (const { blinded: credential, debt } of taskCredentials(exam)) {
    const isThere = json.leaves.some((leaf) => leaf.credential === credential);
    if (isThere && debt === 'static')
      exam.forged(`${label(batch)}: ascribes events to one task by a static secret, which every task is handed`);
    const entry = shown.get(credential);
    if (isThere && !entry) exam.incomplete(`${label(batch)}: the events of a credential of the task are not here`);
    for (const event of entry?.events ?? []) events.push(event);
  }
  return events;
}

function checkDisclosed(
  exam: Examination,
  batch: string,
  json: BatchJson,
  entry: BatchJson['disclosed'][number],
): void {
  const leaf = json.leaves.find(({ credential }) => credential === entry.credential);
  need(
    leaf?.root === eventsRoot(entry.events) && leaf.events === entry.events.length,
    'a disclosed sub-tree has another root',
  );
  need(blindCredential(fromHex(entry.blind), entry.id) === entry.credential, 'a disclosed credential does not open');
  for (const event of entry.events) {
    const object = exam.members.get(members.event(batch, event));
    if (object) openPayload(object, event);
    else if (!isErased(exam, event)) exam.incomplete(`event ${event} of a disclosed sub-tree is not here`);
  }
}

/** The batches of a source begin with its first, or with one from before the task opened: none is left out at the beginning. */
function checkBeginnings(exam: Examination): void {
  const opened = Math.min(...exam.all('task-opened').map(({ index }) => index));
  for (const [name, batches] of exam.series) {
    if (!name.startsWith('source:')) continue;
    const first = batches.reduce((a, b) => (b.statement.position.n < a.statement.position.n ? b : a));
    if (first.statement.position.n > 0 && first.index > opened)
      exam.incomplete(`series ${name} begins after the task opened: batches may be missing`);
  }
}

function checkReconciled(exam: Examination): void {
  const held = new Set(exam.all('finding').map(({ statement }) => statement.body.finding));
  for (const reconciled of exam.all('reconciled')) {
    for (const { source, head } of reconciled.statement.body.sources) {
      if (head !== null && !exam.find(head, 'events-ingested'))
        exam.incomplete(`${label(reconciled)}: the batch of ${source} it rests on is not here`);
    }
    for (const { finding, type } of reconciled.statement.body.findings) {
      if (!held.has(finding) && type !== 'unknown_credential')
        exam.incomplete(`${label(reconciled)}: its finding ${finding} is not here`);
    }
  }
}

/** True if a reconciliation took the event's batch into account. */
function wasReconciled(exam: Examination, event: string): boolean {
  const batch = exam.byDigest.get(event.slice(0, 64));
  return exam.all('reconciled').some((reconciled) => batch !== undefined && reconciled.index > batch.index);
}
