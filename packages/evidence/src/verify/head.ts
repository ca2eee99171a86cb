import type { Checkpoint } from '../log/checkpoint.ts';
import type { Trust } from '../log/trust.ts';
import { witnessesOf, witnessLimits } from './answers.ts';
import { Examination } from './examination.ts';
import type { Reason, Report } from './report.ts';
import { checkFreshness, checkNote } from './trust.ts';

/** What a trust file says of the head that a log shows. */
export interface HeadReport {
  /** Null if it cannot be read. */
  readonly checkpoint: Checkpoint | null;
  readonly witnesses: Report['witnesses'];
  readonly reasons: readonly Reason[];
  /** What that does not say. */
  readonly limits: readonly string[];
}

/** Judges a published checkpoint by itself: the log's keys, the witness quorum, its age. It does not throw on bad notes. */
export function verifyHead(
  note: string,
  { trust, nowMs }: { readonly trust: Trust; readonly nowMs: number },
): HeadReport {
  const exam = new Examination({ trust, nowMs });
  exam.check = 'checkpoint';
  const checkpoint = exam.attempt('the checkpoint', () => exam.judge(note)?.checkpoint, 'unusable') ?? null;
  if (checkpoint) {
    checkNote(exam, note);
    checkFreshness(exam, note);
  }
  const witnesses = checkpoint ? witnessesOf(exam, note) : [];
  return { checkpoint, witnesses, reasons: exam.reasons, limits: witnessLimits(exam) };
}
