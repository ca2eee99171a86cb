import {
  type Decision,
  DeedError,
  openPayload,
  type PayloadRef,
  parseActionRecord,
  parseStatement,
  type Statement,
  type Tier,
} from '@deed/evidence';
import type { Ground } from '../ground.ts';
import type { FactSource } from './facts.ts';

/** A decision that the log holds. */
export interface RecordedDecision {
  /** Digest of the statement that holds it. */
  readonly statement: string;
  readonly predicate: 'intent' | 'refusal' | 'approval';
  readonly task: string;
  /** What was to be done: `action:act_…`. */
  readonly subject: string;
  readonly time: string;
  readonly tier: Tier | null;
  readonly decision: Decision;
  /** Null: not kept (tier observe), or erased. */
  readonly inputs: Uint8Array | null;
  /** The call; null for what was not kept, and for an approval, whose intent tells it. */
  readonly call: FactSource | null;
}

export interface DecisionFilter {
  readonly task?: string | undefined;
  /** Digest of a statement. */
  readonly statement?: string | undefined;
  /** So many at the most, the newest. */
  readonly last: number;
}

const readAtOnce = 200;

/** The newest decisions of the log, the oldest of them first. Gives way to other work in between: a log may be long. */
export async function recordedDecisions(
  { ledger, vault }: Pick<Ground, 'ledger' | 'vault'>,
  { task, statement: wanted, last }: DecisionFilter,
): Promise<readonly RecordedDecision[]> {
  const found: RecordedDecision[] = [];
  for (let index = ledger.size - 1; index >= 0 && found.length < last; index--) {
    if (index % readAtOnce === 0) await new Promise((resolve) => setImmediate(resolve));
    const entry = ledger.entry(index);
    if (!entry) continue;
    const statement = parseStatement(entry.envelope.payload);
    if (wanted !== undefined && statement.digest !== wanted) continue;
    const held = decisionIn(statement);
    if (!held || (task !== undefined && held.task !== task)) continue;
    found.push({ ...held, inputs: opened(vault, held.decision.inputs), call: callOf(vault, statement) });
    if (wanted !== undefined) break;
  }
  return found.reverse();
}

/** The decision that a statement holds, or null. */
export function decisionIn(statement: Statement): Omit<RecordedDecision, 'inputs' | 'call'> | null {
  const { predicate, position, digest, subject, time } = statement;
  if (predicate !== 'intent' && predicate !== 'refusal' && predicate !== 'approval') return null;
  const { decision } = statement.body;
  if (!decision || !('task' in position)) return null;
  const tier = 'tier' in statement.body ? statement.body.tier : null;
  return { statement: digest, predicate, task: position.task, subject: subject.name, time, tier, decision };
}

function callOf(vault: Ground['vault'], statement: Statement): FactSource | null {
  if (statement.predicate !== 'intent' && statement.predicate !== 'refusal') return null;
  const record = statement.body.record && opened(vault, statement.body.record);
  if (!record) return null;
  const { server, tool, arguments: given } = parseActionRecord(record);
  return { server, tool, arguments: given };
}

function opened(vault: Ground['vault'], { kept, sha256 }: PayloadRef): Uint8Array | null {
  if (!kept) return null;
  try {
    return openPayload(vault.get(sha256), sha256).bytes;
  } catch (error) {
    if (error instanceof DeedError) return null;
    throw error;
  }
}
