import { imprintOfTimestamp } from '../case/members.ts';
import { toHex, utf8 } from '../encoding.ts';
import { parseCheckpoint } from '../log/checkpoint.ts';
import { parseNote } from '../log/note.ts';
import { sha256 } from '../platform.ts';
import type { StatementWith } from '../statement.ts';
import { type Timestamp, verifyTimestamp, worstAccuracyMs } from '../time/timestamp.ts';
import { type Examination, type Logged, label, type Stamp, type VerifyOptions } from './examination.ts';

/** Between two clocks, in milliseconds. */
const graceMs = 60_000;
/** A stamp that came later says too little about when an approve action began. */
const latestStampMs = 24 * 3_600_000;

interface Stampable {
  readonly text: string;
  readonly size: number;
}

/** Each timestamp holds, stamps a checkpoint of the case and contradicts nothing; approve actions have one where a `tsa` line asks. */
export function checkTimestamps(exam: Examination): string | null {
  const checkpoints = checkpointsOf(exam);
  const newest = newestUnder(exam.statements);
  for (const [name, bytes] of exam.members) {
    const imprint = imprintOfTimestamp(name);
    if (imprint === undefined) continue;
    const checkpoint = checkpoints.get(imprint);
    if (checkpoint) exam.attempt(name, () => judgeStamp(exam, imprint, checkpoint, bytes, newest));
    else exam.incomplete(`${name}: the checkpoint that it stamps is not here`);
  }
  if (exam.options.trust?.tsas.length) {
    const ended = new Set(exam.all('outcome').map(({ statement }) => statement.body.intent));
    for (const intent of exam.all('intent')) {
      const { body, digest } = intent.statement;
      if (body.tier === 'approve' && ended.has(digest)) checkApproved(exam, intent);
    }
  }
  return `${exam.stamps.size} timestamps`;
}

/** What may be stamped: the anchors of approve actions and the checkpoint of the statements, by the digest of their text. */
function checkpointsOf(exam: Examination): ReadonlyMap<string, Stampable> {
  const found = new Map<string, Stampable>();
  for (const note of [...exam.anchors.values(), ...(exam.note === null ? [] : [exam.note])]) {
    exam.attempt('a checkpoint', () => {
      const { text } = parseNote(note);
      found.set(imprintOf(text), { text, size: parseCheckpoint(text).size });
    });
  }
  return found;
}

function judgeStamp(
  exam: Examination,
  imprint: string,
  { text, size }: Stampable,
  bytes: Uint8Array,
  newest: Newest,
): void {
  const timestamp = verifyTimestamp(bytes, utf8(text));
  const discounted = discount(timestamp, exam.options);
  exam.stamps.set(imprint, { size, timestamp, discounted });
  if (discounted === null) checkTimes(exam, size, timestamp, newest);
}

/** Why a timestamp that holds in itself is nobody's word here; null if it counts. */
export function discount(
  { certificate, checked, timeMs, accuracyMs }: Timestamp,
  options: VerifyOptions,
): string | null {
  const { trust, nowMs = 0 } = options;
  if (!trust?.tsas.includes(certificate)) return `no tsa line names its certificate ${certificate}`;
  if (!checked) return 'a signature of this kind cannot be checked here; verify with the deed command';
  if (accuracyMs > worstAccuracyMs) return `its authority knows the time to ${accuracyMs / 1000} s only`;
  if (timeMs > nowMs + graceMs) return "it is in the future of this machine's clock";
  return null;
}

/** What was there by then cannot be written later, and what an export lists was there before it. */
function checkTimes(exam: Examination, size: number, { timeMs, accuracyMs }: Timestamp, newest: Newest): void {
  const at = new Date(timeMs).toISOString();
  const covered = newest(size);
  if (covered && Date.parse(covered.statement.time) > timeMs + accuracyMs + graceMs)
    exam.forged(
      `${label(covered)}: says it was written at ${covered.statement.time}, and was timestamped at ${at} already`,
    );
  const exported = exam.exported?.statement.time;
  if (exported !== undefined && timeMs - accuracyMs > Date.parse(exported) + graceMs)
    exam.forged(`the timestamp of size ${size} was made at ${at}, after the export of ${exported} that lists it`);
}

/** Of the statements under a tree of some size, the one with the latest time of its own. */
type Newest = (size: number) => Logged | undefined;

function newestUnder(statements: readonly Logged[]): Newest {
  let latest = Number.NEGATIVE_INFINITY;
  let newest: Logged | undefined;
  const running = statements.map((logged) => {
    const time = Date.parse(logged.statement.time);
    if (time > latest) [latest, newest] = [time, logged];
    return newest;
  });
  return (size) => {
    let [low, high] = [0, statements.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((statements[middle]?.index ?? 0) < size) low = middle + 1;
      else high = middle;
    }
    return running[low - 1];
  };
}

function checkApproved(exam: Examination, intent: Logged<StatementWith<'intent'>>): void {
  const stamp = anchorStamp(exam, intent.statement.digest);
  if (!stamp)
    exam.unanchored(`${label(intent)}: the trust file asks for a timestamp on its checkpoint, and there is none`);
  else if (stamp.discounted !== null)
    exam.unanchored(`${label(intent)}: the timestamp on its checkpoint does not count: ${stamp.discounted}`);
  else if (
    stamp.timestamp.timeMs + stamp.timestamp.accuracyMs >
    Date.parse(intent.statement.time) + latestStampMs + graceMs
  ) {
    const at = new Date(stamp.timestamp.timeMs).toISOString();
    exam.unanchored(
      `${label(intent)}: says ${intent.statement.time}, and was timestamped only at ${at}, over 24 hours later`,
    );
  }
}

function anchorStamp(exam: Examination, intent: string): Stamp | undefined {
  const note = exam.anchors.get(intent);
  return note === undefined ? undefined : exam.stamps.get(imprintOf(parseNote(note).text));
}

/** The earliest counted timestamp that covers an action's statement, in milliseconds: under an anchor or the whole tree. */
export function stampedBy(exam: Examination, digest: string): number | undefined {
  const index = exam.byDigest.get(digest)?.index ?? Number.POSITIVE_INFINITY;
  let earliest: number | undefined;
  for (const { size, discounted, timestamp } of exam.stamps.values()) {
    if (size > index && discounted === null && timestamp.timeMs < (earliest ?? Number.POSITIVE_INFINITY))
      earliest = timestamp.timeMs;
  }
  return earliest;
}

function imprintOf(text: string): string {
  return toHex(sha256(utf8(text)));
}
