import { type Effects, outputsOf, type PredicateBody, utf8 } from '@deed/evidence';
import type { Recorded } from '@deed/ledger';
import { AuthorityError } from '../errors.ts';
import type { Ground } from '../ground.ts';
import { chainOf } from '../tasks/task.ts';
import type { Tasks } from '../tasks/tasks.ts';
import type { Intents, OutcomeStatus } from './intents.ts';
import { isPatient } from './proposal.ts';

export const effectsType = 'application/vnd.deed.effects+json';

export interface Conclusion {
  readonly status: OutcomeStatus;
  /** The exact bytes of the answer; null if none came. `type` default application/json. */
  readonly result?: { readonly bytes: Uint8Array; readonly type?: string } | null;
  readonly effects?: Effects | null;
  /** The cosigned checkpoint that covered the intent before dispatch (tier approve). */
  readonly anchor?: PredicateBody<'outcome'>['anchor'];
}

/**
 * Records what came of an intent (named by its digest): in `seq`, or in `after` when the task was closed meanwhile. One outcome
 * an intent; an `unknown` one may be superseded once.
 * @throws AuthorityError unknown-intent, outcome (it has its end already)
 */
export function conclude(
  { ground, tasks, intents }: { readonly ground: Ground; readonly tasks: Tasks; readonly intents: Intents },
  digest: string,
  { status, result = null, effects = null, anchor = null }: Conclusion,
): Recorded {
  const intent = intents.get(digest);
  const task = intent && tasks.get(intent.task);
  if (!intent || !task) throw new AuthorityError('unknown-intent', `there is no intent ${digest}`);
  const supersedes = intent.ended;
  if (supersedes !== null && (intent.status !== 'unknown' || intent.settled)) {
    throw new AuthorityError('outcome', `intent ${digest} has its one end already`);
  }
  const keep = intent.tier !== 'observe';
  const { vault } = ground;
  const recorded = ground.record({
    predicate: 'outcome',
    place: { task: task.id, chain: chainOf(task) },
    subject: { name: `action:${intent.action}`, sha256: intent.record },
    observed: intent.observed,
    separation: intent.separation,
    patient: isPatient(intent.tier, intent.observed),
    body: {
      action: intent.action,
      intent: digest,
      status,
      result: result && vault.stage(task.id, result.bytes, result.type ?? 'application/json', keep),
      effects: effects && vault.stage(task.id, utf8(JSON.stringify(effects)), effectsType, keep),
      anchor,
      supersedes,
    },
    apply: (tx, entry) => intents.writeEnd(tx, digest, entry.digest, status, supersedes),
  });
  if (task.state === 'open') tasks.counted(task.id);
  if (effects) tasks.delivered(task.id, outputsOf(effects));
  intents.end(intent, recorded.digest, status);
  tasks.ended(task.id, digest);
  return recorded;
}
