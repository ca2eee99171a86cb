import { EvidenceError } from '../errors.ts';
import { type Json, parseStrictJson } from '../json.ts';
import type { StatementWith } from '../statement.ts';
import { actorOf } from './actor.ts';
import { type Examination, type Logged, need } from './examination.ts';
import { checkHolder } from './possession.ts';

type Intent = Logged<StatementWith<'intent'>>;
type Outcome = Logged<StatementWith<'outcome'>>;

/** The type of a result that is what the agent itself told, signed by it. */
export const toldType = 'application/vnd.deed.told+json';

/**
 * What came of a call that the agent dispatched itself is its own word, and it signed it: token, proof and message as for a call; the
 * message is of this action and says this status.
 * @throws EvidenceError case, json, encoding, signature
 */
export function checkToldOutcome(exam: Examination, intent: Intent, outcome: Outcome): void {
  const { result, status } = outcome.statement.body;
  const own = intent.statement.observed === 'self-reported';
  need(outcome.statement.observed === intent.statement.observed, 'another than the one who dispatched it observed it');
  if (result?.type !== toldType) {
    need(!own || (status === 'unknown' && result === null), 'nothing shows what the agent told of it');
    return;
  }
  need(own, 'the agent told of what others dispatched');
  const shown = checkHolder(exam, outcome, result, actorOf(exam, intent, intent.statement.body.authority.chain));
  if (!shown) return;
  const { request, action, status: said } = members(parseStrictJson(shown.message).value);
  need(request === 'result' && action === intent.statement.body.action, 'what the agent told is of another action');
  need(said === status, 'the agent told another status');
}

function members(value: Json): { readonly [key: string]: Json | undefined } {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new EvidenceError('case', 'what the agent told is no object');
  return value as { readonly [key: string]: Json };
}
