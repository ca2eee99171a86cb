import { gitRefsOf, parseActionRecord, parseEffects } from '../action-record.ts';
import { members } from '../case/members.ts';
import { EvidenceError } from '../errors.ts';
import { actionDocument, compileContract, parseContract } from '../events/contract.ts';
import { recordText } from '../events/describe.ts';
import { differences, type ExpectedEffect, isSame, valueIn } from '../events/expected.ts';
import { compileMapping, parseMapping } from '../events/mapping.ts';
import { readPostgresEvent } from '../events/postgres-event.ts';
import type { SourceEvent } from '../events/source-event.ts';
import { type PushRecord, readPushRecord } from '../forge-record.ts';
import { parseStrictJson } from '../json.ts';
import { openPayload } from '../payload.ts';
import type { EventRef, PayloadRef } from '../predicates.ts';
import type { StatementWith } from '../statement.ts';
import { isErased, taskCredentials } from './event-credentials.ts';
import { type Examination, type Logged, need, type Touched } from './examination.ts';

type Confirmed = Logged<StatementWith<'confirmed'>>;
type Outcome = Logged<StatementWith<'outcome'>>;

/**
 * Matches again what a system's own records confirmed: by the contract that the statement names, or, without one, by the commits of a push.
 * @throws EvidenceError case, json, encoding, mapping
 */
export function checkConfirmed(exam: Examination, confirmed: Confirmed): void {
  const { body } = confirmed.statement;
  const outcome = exam.find(body.outcome, 'outcome');
  if (!outcome) throw new EvidenceError('case', 'confirms an outcome that is not here');
  need(outcome.statement.body.action === body.action && outcome.index < confirmed.index, 'confirms another action');
  const gone = body.events.find(({ event }) => isErased(exam, event))?.event;
  const missing =
    gone ??
    (body.contract === undefined ? checkPush(exam, confirmed, outcome) : checkContract(exam, confirmed, outcome));
  if (missing === null) exam.corroborated.add(body.outcome);
  else exam.faded.set(body.outcome, missing);
}

/**
 * Repository, ref, old and new of the record are those of an effect that the outcome claims.
 * @returns the name of what is not at hand any more, or null
 */
function checkPush(exam: Examination, { statement: { body } }: Confirmed, outcome: Outcome): string | null {
  need(body.how === 'exact', 'a push is confirmed by its commits, and in no other way');
  const { effects } = outcome.statement.body;
  const effectBytes = exam.payload(effects);
  if (!effectBytes) return effects?.sha256 ?? '';
  const unmatched = gitRefsOf(parseEffects(effectBytes)).filter(({ status }) => status === 'ok');
  const touched: Touched[] = [];
  for (const ref of body.events) {
    const { raw, credential } = eventOf(exam, ref);
    const push = readPushRecord(raw);
    need(push?.user === credential, `event ${ref.event} is of another credential than it stands under`);
    const at = unmatched.findIndex(
      (effect) =>
        push?.repository === effect.repository &&
        push.ref === effect.ref &&
        push.old === effect.old &&
        push.new === effect.new,
    );
    need(at >= 0, `event ${ref.event} is not what the outcome says happened`);
    unmatched.splice(at, 1);
    if (push) touched.push(touchedBy(ref.source, push));
  }
  exam.touched.set(outcome.statement.digest, touched);
  need(unmatched.length === 0, 'effects of the outcome remain without a record');
  return null;
}

/** Every effect that the contract expects of the action has its events among these, and each of these is one of them. */
function checkContract(exam: Examination, confirmed: Confirmed, outcome: Outcome): string | null {
  const { body } = confirmed.statement;
  const declared = exam.find(body.contract ?? null, 'effects-declared');
  if (!declared) throw new EvidenceError('case', 'the contract it rests on is not here');
  need(declared.index < confirmed.index, 'rests on a contract that was declared later');
  const intent = exam.find(outcome.statement.body.intent, 'intent');
  if (!intent) throw new EvidenceError('case', 'confirms an action whose intent is not here');
  need(declared.statement.body.server === intent.statement.body.tool.server, 'rests on the contract of another server');
  need(outcome.statement.body.status !== 'unknown', 'confirms what nobody reported');
  const { record } = intent.statement.body;
  const { result, effects, status } = outcome.statement.body;
  const parts = [declared.statement.body.contract, record, result, effects];
  const [contract, recordBytes, resultBytes, effectBytes] = parts.map((part) => exam.payload(part));
  const absent = parts.find((part, i) => part !== null && ![contract, recordBytes, resultBytes, effectBytes][i]);
  if (!contract || !recordBytes || absent) return absent?.sha256 ?? record.sha256;
  const action = actionDocument({
    record: parseActionRecord(recordBytes),
    status,
    result: resultBytes ?? null,
    effects: effectBytes ?? null,
  });
  const expected = compileContract(parseContract(contract))(action);
  const skewMs = body.skewMs ?? 0;
  const window = { from: Date.parse(intent.statement.time) - skewMs, to: Date.parse(outcome.statement.time) + skewMs };
  const open = body.events.map((ref) => ({ ref, event: readEvent(exam, ref) }));
  exam.touched.set(
    body.outcome,
    open.map(({ ref: { source }, event }) => {
      const resource = event.resource?.uid ?? event.operation;
      return { source, resource, text: recordText(source, event) };
    }),
  );
  for (const effect of expected) {
    const found = open
      .filter(({ ref, event }) => isEffect(effect, ref.source, event, { ...window, isDone: status === 'ok' }))
      .slice(0, effect.count.max);
    need(
      found.length >= (status === 'ok' ? effect.count.min : 0),
      `an effect that its contract expects (${effect.operations.join(', ')}) has no record`,
    );
    need(
      effect.key !== null || effect.count.min === 0 || body.how !== 'exact',
      'says that it was found by an id, and there is none',
    );
    for (const each of found) open.splice(open.indexOf(each), 1);
  }
  need(open.length === 0, `event ${open[0]?.ref.event} is not what its contract expects`);
  return null;
}

function touchedBy(source: string, { repository, ref, old, new: to }: PushRecord): Touched {
  const resource = `${repository} ${ref}`;
  return { source, resource, text: `${source}: push ${resource} (${old} -> ${to})` };
}

function isEffect(
  effect: ExpectedEffect,
  source: string,
  event: SourceEvent,
  { from, to, isDone }: { readonly from: number; readonly to: number; readonly isDone: boolean },
): boolean {
  if (!effect.sources.includes(source) || !effect.operations.includes(event.operation)) return false;
  if ((event.status !== 'failure') !== isDone || differences(event, effect).length > 0) return false;
  if (effect.key) return effect.key.every(({ name, value }) => isSame(valueIn(event, name), value));
  const at = Date.parse(event.time);
  return from - effect.window.beforeMs <= at && at <= to + effect.window.afterMs;
}

/** What a raw event says, read again by the mapping that its batch names; it is of the credential that it stands under. */
function readEvent(exam: Examination, ref: EventRef): SourceEvent {
  const { raw, credential } = eventOf(exam, ref);
  const batch = exam.find(ref.batch, 'events-ingested');
  const { reader, source } = batch?.statement.body ?? {};
  need(source === ref.source, `event ${ref.event} is of another source`);
  const event = reader?.name === 'postgres' ? readPostgresEvent(raw) : readMapped(exam, ref, reader?.mapping, raw);
  if (event === null || typeof event === 'string')
    throw new EvidenceError('case', `event ${ref.event} is no record: ${event ?? 'not meant'}`);
  need(event.credential?.uid === credential, `event ${ref.event} is of another credential than it stands under`);
  return event;
}

function readMapped(
  exam: Examination,
  { event }: EventRef,
  ref: PayloadRef | undefined,
  raw: Uint8Array,
): SourceEvent | string | null {
  const mapping = ref && exam.payload(ref);
  if (!mapping) throw new EvidenceError('case', `the mapping by which event ${event} was read is not here`);
  return compileMapping(parseMapping(mapping))(parseStrictJson(raw).value);
}

/** The raw event, which must stand in the sub-tree of a credential of the task, and the id of that credential. */
function eventOf(exam: Examination, ref: EventRef): { readonly raw: Uint8Array; readonly credential: string } {
  const batch = exam.batches.get(ref.batch);
  const object = exam.members.get(members.event(ref.batch, ref.event));
  if (!batch || !object) throw new EvidenceError('case', `event ${ref.event} is not here`);
  const own = new Set(taskCredentials(exam).map(({ blinded }) => blinded));
  const entry = batch.disclosed.find(({ credential, events }) => own.has(credential) && events.includes(ref.event));
  if (!entry) throw new EvidenceError('case', `event ${ref.event} is not under a credential of the task`);
  return { raw: openPayload(object, ref.event).bytes, credential: entry.id };
}
