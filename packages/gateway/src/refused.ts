import type { Verdict } from '@deed/authority';
import type { PayloadRef, RefusalReason, Word } from '@deed/evidence';

/** What a refusal states beside its reason. */
export interface RefusalExtra {
  readonly verdict?: Verdict;
  readonly cites?: string;
  readonly approvals?: readonly string[];
  readonly rejection?: Word;
  readonly edit?: PayloadRef;
}

/** Ends the walk with a refusal, which is then recorded. */
export class Refused extends Error {
  readonly reason: RefusalReason;
  readonly extra: RefusalExtra;
  /** What the caller is told, where that is more than is recorded. */
  readonly told: string;
  constructor(reason: RefusalReason, detail: string, extra: RefusalExtra = {}, told = detail) {
    super(detail);
    this.reason = reason;
    this.extra = extra;
    this.told = told;
  }
}
