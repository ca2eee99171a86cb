import type { FindingType, Observed, PromptLink, Tier } from '../predicates.ts';

export type Verdict = 'VERIFIED' | 'UNANCHORED' | 'INCOMPLETE' | 'FORGED' | 'unusable';

/** Exit codes. 1 is the verifier's own failure and never a verdict. */
export const verdictCodes = { VERIFIED: 0, UNANCHORED: 3, INCOMPLETE: 4, FORGED: 5, unusable: 2 } as const;

/** The first that applies is the verdict. */
export const verdictOrder = ['unusable', 'FORGED', 'INCOMPLETE', 'UNANCHORED'] as const;

export interface Reason {
  readonly verdict: Exclude<Verdict, 'VERIFIED'>;
  readonly check: string;
  readonly message: string;
}

export interface CheckResult {
  readonly check: string;
  readonly result: 'ok' | 'failed' | 'not-reached';
  /** What was looked at, in a few words. */
  readonly detail: string;
}

export const layerNames = [
  'identity',
  'authority',
  'decision',
  'approval',
  'record',
  'separation',
  'anchor',
  'corroboration',
] as const;
export type LayerName = (typeof layerNames)[number];

export interface Layer {
  readonly state: 'present' | 'missing' | 'not-asked';
  readonly why: string;
}

/** One action with the four answers and its layers of evidence. */
export interface ActionReport {
  readonly action: string;
  readonly end: 'ok' | 'error' | 'unknown' | 'refused' | 'open';
  readonly tier: Tier | null;
  readonly observed: Observed;
  /** Who acted, and for whom: the SPIFFE ids from the actor back to the task's own agent, in words. */
  readonly agent: string;
  /** The same as a list, from the task's own agent to the actor; one of them without a hop, none in an implicit task. */
  readonly actors: readonly string[];
  readonly authority: string;
  readonly resource: string;
  /** How it hangs together with what a model was asked and answered; null where nothing is known of that. */
  readonly prompt: PromptLink | 'confirmed' | null;
  /** Where its caller says that it stands in a trace (W3C): a claim. */
  readonly trace: { readonly traceId: string; readonly spanId: string } | null;
  readonly result: string;
  /** What the touched systems recorded of it, where that confirms it: rows before and after, refs. */
  readonly records: readonly string[];
  readonly layers: Readonly<Record<LayerName, Layer>>;
}

/** What a link to a prompt means, for readers. */
export const promptWords: Readonly<Record<PromptLink | 'confirmed', string>> = {
  exact: 'exact: the model asked for this very call, which the client names by its id',
  inferred: 'inferred: the one call like it that the model had asked for; the client names none',
  ambiguous: 'ambiguous: the model had asked for several calls like it; the client names none',
  confirmed: 'confirmed: the client names none, and told the model the result of this very call in its next turn',
  altered: 'altered: by this id the model had asked for another call',
};

/** A part of the task that was passed on. */
export interface HopReport {
  /** Digest of the hop. */
  readonly hop: string;
  /** SPIFFE ids. */
  readonly delegator: string;
  readonly delegate: string;
  /** What was passed on, in words. */
  readonly limits: string;
  readonly state: 'offered' | 'accepted' | 'ended';
  /** Actions begun by it, and by whatever was passed on below it. */
  readonly begun: number;
}

export interface FindingReport {
  readonly finding: string;
  readonly type: FindingType;
  readonly severity: string;
  readonly why: string;
  readonly todo: string;
  /** `open`, `explained`, `accepted`, `resolved`, `superseded`: what was last said of it. */
  readonly state: string;
  /** Until when its risk is accepted. */
  readonly until: string | null;
}

export interface Report {
  readonly verdict: Verdict;
  readonly code: number;
  readonly reasons: readonly Reason[];
  readonly checks: readonly CheckResult[];
  readonly case: { readonly id: string; readonly origin: string; readonly tasks: readonly string[] } | null;
  readonly task: TaskReport | null;
  /** In the order of the log. */
  readonly hops: readonly HopReport[];
  readonly actions: readonly ActionReport[];
  readonly findings: readonly FindingReport[];
  readonly reconciled: readonly string[];
  /** What was erased, by whom, when and why; holds that were placed and released. */
  readonly erasures: readonly string[];
  readonly checkpoint: { readonly origin: string; readonly size: number; readonly root: string } | null;
  /** SHA-256 of the root key's SPKI as the case has it; compare it with the one you were told. */
  readonly root: string | null;
  readonly witnesses: readonly { readonly name: string; readonly time: string }[];
  /** Timestamps of the case, on checkpoints of these sizes. */
  readonly timestamps: readonly TimestampReport[];
  /** What the verdict does not say. */
  readonly limits: readonly string[];
}

export interface TimestampReport {
  /** Entries under the checkpoint that is stamped. */
  readonly size: number;
  readonly time: string;
  /** Hex SHA-256 of the authority's certificate. */
  readonly certificate: string;
  /** Why it does not count; null if it does. */
  readonly discounted: string | null;
}

export interface TaskReport {
  readonly task: string;
  readonly objective: string;
  readonly principal: string;
  readonly opened: string;
  readonly closed: string | null;
  readonly statements: number;
  /** What it delivered: name, and digest. */
  readonly outputs: readonly string[];
  /** Each credential that was minted for it: its broker, and whether it is a static secret. */
  readonly credentials: readonly string[];
}
