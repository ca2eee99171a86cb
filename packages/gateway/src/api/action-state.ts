import type { Authority } from '@deed/authority';
import { openPayload, parseEffects, parseStatement, type StatementWith, type Tier } from '@deed/evidence';
import type { Ledger } from '@deed/ledger';

/** How it stands with an action that a request asked for. */
export interface ActionState {
  readonly action: string;
  /**
   * `asked`: nothing was begun under it yet; the request that asked for it, sent again, goes on. `begun`: it may be made, or is under
   * way. The others are what came of it.
   */
  readonly state: 'asked' | 'begun' | 'ok' | 'error' | 'unknown';
  readonly tier: Tier | null;
  /** Digest of the intent. */
  readonly intent: string | null;
  /** Digest of the outcome. */
  readonly outcome: string | null;
  /** When the caller must have told the result; null where it tells none. */
  readonly expires: string | null;
  /** What a service answered to the gateway; null where there is none, or nothing of it is kept (tier observe). */
  readonly response: ServiceResponse | null;
}

export interface ServiceResponse {
  /** The status code; null if the answer broke off before it was whole. */
  readonly status: number | null;
  readonly type: string;
  readonly body: Uint8Array;
}

export interface StateSources {
  readonly authority: Authority;
  readonly ledger: Ledger;
}

export function stateOf(
  { authority, ledger }: StateSources,
  task: string,
  action: string,
): Omit<ActionState, 'expires'> {
  const begun = authority.actions.begun(task, action);
  if (!begun) return { action, state: 'asked', tier: null, intent: null, outcome: null, response: null };
  const { digest, tier, ended, status, observed } = begun;
  const state = ended === null ? 'begun' : (status ?? 'unknown');
  const outcome = ended !== null && observed === 'gateway-executed' ? outcomeIn(ledger, task, ended) : null;
  return { action, state, tier, intent: digest, outcome: ended, response: outcome && responseOf(authority, outcome) };
}

function outcomeIn(ledger: Ledger, task: string, digest: string): StatementWith<'outcome'> | null {
  for (const series of [task, `${task}/after`]) {
    for (const { envelope } of ledger.series(series).toReversed()) {
      const statement = parseStatement(envelope.payload);
      if (statement.digest === digest) return statement.predicate === 'outcome' ? statement : null;
    }
  }
  return null;
}

function responseOf({ vault }: Authority, { body }: StatementWith<'outcome'>): ServiceResponse | null {
  const { result, effects } = body;
  if (!result?.kept || !vault.has(result.sha256)) return null;
  const seen =
    effects?.kept && vault.has(effects.sha256) ? openPayload(vault.get(effects.sha256), effects.sha256) : null;
  const [effect] = seen ? parseEffects(seen.bytes).effects : [];
  return {
    status: effect?.kind === 'http' ? effect.status : null,
    type: result.type,
    body: openPayload(vault.get(result.sha256), result.sha256).bytes,
  };
}
