import type { EventRef, ExpectedEffect, FindingType, Pair, SourceEvent } from '@deed/evidence';

/** An ingested event as it is matched: what it says, and where it was proven. */
export interface MatchEvent {
  readonly ref: EventRef;
  /** The blinded credential under which it stands. */
  readonly credential: string;
  readonly event: SourceEvent;
  /** Its time, in milliseconds of Unix time. */
  readonly at: number;
  /** When it was read, by our clock, likewise; null: that was not noted. */
  readonly readAt: number | null;
}

/** One kind of effect that an action is to have had, by its contract, as it is matched. */
export interface Expectation extends ExpectedEffect {
  /** An event that does not say this names the effect and proves nothing of who caused it. */
  readonly proof: (Pair & { readonly otherwise: string }) | null;
  /** In words, for explanations. */
  readonly text: string;
}

/** An action of the task, as its receipts tell it. */
export interface Claim {
  readonly action: string;
  /** Digest of the outcome, or of the intent while there is none. */
  readonly statement: string;
  /** When its intent was recorded: nothing of it happened before. */
  readonly begun: string;
  /** When its outcome was recorded; null while it is under way. */
  readonly ended: string | null;
  /** `done`: its effects are claimed. `failed`: claimed not to have happened. `unknown`: nobody on our side knows. */
  readonly says: 'done' | 'failed' | 'unknown';
  readonly expected: readonly Expectation[];
  /** Digest of the effects-declared by which it is expected; null: by its commits. */
  readonly contract: string | null;
  /** Why a claim of something done that left no trace at all is no confirmation; null: it expects nothing. */
  readonly empty: string | null;
}

/** How far the records of one source reach, and how well its clock agrees with ours. */
export interface Reach {
  readonly source: string;
  /** All that happened before has been read; null: nothing has. */
  readonly watermark: string | null;
  /** What happened before was recorded before the source was read at all; null: it was read from its beginning. */
  readonly since: string | null;
  /** By how much its clock may differ from ours, in milliseconds. */
  readonly skewMs: number;
  /** Stretches of its own time of which records are missing, ISO 8601. */
  readonly gaps: readonly { readonly from: string; readonly to: string }[];
  /** Records can be lost on the way here: that one is not there proves nothing. */
  readonly isLossy?: boolean;
  /** Why nothing of it can be placed in time, in words. */
  readonly adrift?: string;
}

/** What the matcher is asked about: one task, its receipts, and all events under its credentials that nothing explains yet. */
export interface Question {
  readonly task: {
    readonly opened: string;
    /** When it was opened: no credential of it is older. */
    readonly begun: string;
    readonly closed: { readonly digest: string; readonly time: string } | null;
  };
  readonly claims: readonly Claim[];
  /** Actions that were judged before, with their events: what is like them now is a repetition. */
  readonly judged: readonly { readonly claim: Claim; readonly events: readonly MatchEvent[] }[];
  readonly events: readonly MatchEvent[];
  readonly reach: readonly Reach[];
  /** Operations that allowed tools may cause, by source. A source that no contract names is not listed: all is possible there. */
  readonly possible: ReadonlyMap<string, ReadonlySet<string>>;
  /** Operations that tools leave behind beside their calls, for instance when they sign in, by source. */
  readonly ambient: ReadonlyMap<string, ReadonlySet<string>>;
  /** By source that only tells beside another one: that one, and the transactions of this task's credentials that it has. */
  readonly beside?: ReadonlyMap<string, { readonly source: string; readonly transactions: ReadonlySet<string> }>;
}

/** `exact`: by ids. `compared`: by time and content, and nothing else was like it. `counted`: as many as equal actions. */
export type How = 'exact' | 'compared' | 'counted';

export interface Confirmation {
  readonly claim: Claim;
  readonly events: readonly MatchEvent[];
  readonly how: How;
  /** Names of what was equal. */
  readonly key: readonly string[];
}

export interface NewFinding {
  readonly type: FindingType;
  readonly severity: 'low' | 'medium' | 'high' | 'critical';
  /** What it is about; the same subject is found once. */
  readonly subject: string;
  readonly why: string;
  readonly todo: string;
  readonly statements: readonly string[];
  readonly events: readonly MatchEvent[];
  readonly credential: string | null;
}

export interface Answer {
  readonly confirmed: readonly Confirmation[];
  readonly findings: readonly NewFinding[];
  /** Explained by no single action, and expected beside them all. */
  readonly ambient: readonly MatchEvent[];
  /** Actions of which the records to come may yet decide. */
  readonly pending: number;
}
