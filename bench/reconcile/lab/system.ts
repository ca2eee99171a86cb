import type { SourceEvent } from '../../../packages/evidence/src/index.ts';
import type { Worker, World } from '../../../packages/server/test/support/world.ts';

/** Defects that the lab injects, and what each is to be called. */
export const labDefects = {
  hidden: 'hidden_side_effect',
  phantom: 'phantom_action',
  changed: 'result_mismatch',
  duplicate: 'duplicate_execution',
  late: 'use_after_close',
  foreign: 'unknown_credential',
  gap: 'missing_coverage',
} as const;
export type LabDefect = keyof typeof labDefects;

/** What is really the matter with an action (`action:act_…`) or a record (`event:…`): said by the injector, and never by the matcher. */
export type Labels = Map<string, { readonly defect: LabDefect; readonly type: string }>;

/** One task of a scripted agent at one system. */
export interface LabTask {
  readonly worker: Worker;
  readonly labels: Labels;
  /** Actions with a receipt. */
  readonly actions: readonly string[];
  /** One action through Deed, and what is wrong with it, or something done behind its back. */
  work(defect: LabDefect | null, keyed: boolean): Promise<void>;
  /** With the credential of the task after its end. */
  afterClose(): Promise<void>;
  /** Ends what the agent had open. */
  end(): Promise<void>;
}

export interface LabSystem {
  readonly name: string;
  /** What can be wrong there. */
  readonly defects: readonly LabDefect[];
  /** Its receipts can be without an id. */
  readonly canBeKeyless: boolean;
  begin(world: World): Promise<LabTask>;
  /** Sets its clock against ours, in milliseconds; where it has one of its own. */
  setClock(skewMs: number): void;
  /** Has its log show that nothing else happened. */
  settle(): Promise<void>;
  /** A name of a recorded event by which labels know it. */
  keyOf(event: Pick<SourceEvent, 'id' | 'resource' | 'fields' | 'credential'>): string;
  /** What two records have in common that did the same. */
  contentOf(event: Pick<SourceEvent, 'resource' | 'fields'>): string;
  stop(): Promise<void>;
}

/** An effect whose like a receipt had done in the same task is a repetition by the definition. */
export function nameRepetitions(
  labels: Labels,
  contents: ReadonlyMap<string, string>,
  done: ReadonlySet<string>,
): void {
  for (const [item, { defect }] of labels)
    if (defect === 'hidden' && done.has(contents.get(item) ?? ''))
      labels.set(item, { defect, type: labDefects.duplicate });
}
