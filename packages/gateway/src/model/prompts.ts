import type { PromptCited } from '@deed/authority';
import { type AskedCall, askedCalls, asksFor, type Json, protocolOf } from '@deed/evidence';
import { decoded } from './decoded.ts';
import { keepExchange, maxBodyBytes } from './keep-exchange.ts';
import type { Exchange, Passage } from './relay.ts';

/** How long a call waits for the end of an answer that asked for it and goes on, in milliseconds. */
const waitMs = 2_000;
/** Most exchanges that are remembered of one task, and most bytes of bodies. */
const maxExchanges = 64;
const maxBytes = 64 * 1024 * 1024;

/** A call as it reached the gateway, as far as a model could have asked for it. */
export interface CallSaid {
  /** The model's own id of it, as the client says; null if it says none. */
  readonly id: string | null;
  readonly tool: string;
  readonly arguments: Json;
}

/** An exchange that begins. */
export interface Follower {
  began(passage: Passage): void;
  ended(exchange: Exchange): void;
}

interface Seen {
  readonly provider: string;
  readonly target: string;
  passage: Passage | null;
  exchange: Exchange | null;
  /** What its answer asks for; null until it has ended and was read. */
  calls: readonly AskedCall[] | null;
  /** Of its calls those that an action was linked to. */
  readonly used: Set<AskedCall>;
}

interface Pool {
  readonly seen: Seen[];
  bytes: number;
  /** An answer could not be read, or was forgotten: it may have asked for anything, so nothing is inferred any more. */
  blind: boolean;
  /** How many actions were one of several equal calls, by those. */
  readonly shared: Map<AskedCall, number>;
}

/** Those who came with a key of nobody in particular. */
const nobody = '';

/**
 * What models asked the agents of this deployment for, as it passed, and so which prompt led to an action. Without an id of the client's
 * it says only what can be no other call, and says so: a wrong link is worse than none.
 */
export class Prompts {
  private readonly pools = new Map<string, Pool>();

  /** @param task whose key it came with; null: of nobody in particular */
  follow(task: string | null, provider: string, target: string): Follower {
    const pool = this.poolOf(task ?? nobody);
    const seen: Seen = { provider, target, passage: null, exchange: null, calls: null, used: new Set() };
    if (protocolOf(target) === undefined) return { began: () => {}, ended: () => {} };
    pool.seen.push(seen);
    return {
      began: (passage) => {
        if (!seen.exchange) seen.passage = passage;
      },
      ended: (exchange) => {
        seen.exchange = exchange;
        seen.passage = null;
        seen.calls = callsOf(seen);
        if (seen.calls === null && exchange.status === 200) pool.blind = true;
        pool.bytes += sizeOf(exchange);
        bound(pool);
      },
    };
  }

  /** The prompt that led to a call in this task; undefined where none is known. Waits a moment for the end of its answer. */
  async cite(task: string, said: CallSaid): Promise<PromptCited | undefined> {
    return said.id === null ? this.infer(task, said) : this.named(task, said.id, said);
  }

  forget(task: string): void {
    this.pools.delete(task);
  }

  private async named(task: string, id: string, said: CallSaid): Promise<PromptCited | undefined> {
    const all = [task, nobody].flatMap((pool) => this.pools.get(pool)?.seen ?? []).reverse();
    const having = all.filter((seen) => callsSoFar(seen).some((call) => call.id === id));
    const fitting = having.find((seen) => callsSoFar(seen).some((call) => call.id === id && fits(call, said)));
    const seen = fitting ?? having[0];
    if (!seen || !(await ended(seen))) return undefined;
    for (const call of seen.calls ?? []) if (call.id === id) seen.used.add(call);
    return { link: fitting ? 'exact' : 'altered', call: id, exchange: keeper(seen) };
  }

  private async infer(task: string, said: CallSaid): Promise<PromptCited | undefined> {
    const pool = this.pools.get(task);
    if (!pool || pool.blind) return undefined;
    const inFlight = pool.seen.filter((seen) => !seen.exchange && callsSoFar(seen).some((call) => fits(call, said)));
    for (const seen of inFlight) if (!(await ended(seen))) return undefined;
    if (pool.blind) return undefined;
    const left = pool.seen.flatMap((seen) => unused(seen, said).map((call) => ({ seen, call })));
    const [first, ...others] = left;
    if (!first) return undefined;
    if (others.length === 0) {
      first.seen.used.add(first.call);
      return { link: 'inferred', call: first.call.id, exchange: keeper(first.seen) };
    }
    share(pool, left);
    const isOne = left.every(({ seen }) => seen === first.seen);
    return { link: 'ambiguous', call: null, exchange: isOne ? keeper(first.seen) : null };
  }

  private poolOf(task: string): Pool {
    const pool = this.pools.get(task) ?? { seen: [], bytes: 0, blind: false, shared: new Map() };
    this.pools.set(task, pool);
    return pool;
  }
}

/** Of several equal calls none is used up before as many actions were one of them as there are. */
function share(pool: Pool, among: readonly { readonly seen: Seen; readonly call: AskedCall }[]): void {
  const made = 1 + Math.max(0, ...among.map(({ call }) => pool.shared.get(call) ?? 0));
  for (const { call } of among) pool.shared.set(call, made);
  if (made < among.length) return;
  for (const { seen, call } of among) {
    seen.used.add(call);
    pool.shared.delete(call);
  }
}

function unused(seen: Seen, said: CallSaid): readonly AskedCall[] {
  return (seen.calls ?? []).filter((call) => !seen.used.has(call) && fits(call, said));
}

function fits(call: AskedCall, { tool, arguments: given }: CallSaid): boolean {
  return asksFor(call, tool, given);
}

/** What it asks for as far as its answer passed. */
function callsSoFar(seen: Seen): readonly AskedCall[] {
  return seen.calls ?? callsOf(seen) ?? [];
}

/** Null where its answer cannot be read. */
function callsOf({ target, passage, exchange }: Seen): readonly AskedCall[] | null {
  const protocol = protocolOf(target);
  const { headers, bytes } = exchange
    ? { headers: exchange.responseHeaders, bytes: exchange.response.bytes }
    : (passage?.soFar() ?? { headers: [], bytes: undefined });
  const plain = bytes && decoded(bytes, headers, maxBodyBytes);
  if (!protocol || !plain) return null;
  const text = new TextDecoder().decode(plain.bytes);
  const calls = askedCalls(protocol, text);
  return exchange ? calls : calls.filter(({ id }) => id !== '');
}

/** True once it ended: what it is can be said then. */
async function ended(seen: Seen): Promise<boolean> {
  if (!seen.exchange && seen.passage) {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, waitMs);
    await Promise.race([seen.passage.ended, promise]);
    clearTimeout(timer);
  }
  return seen.exchange !== null;
}

function keeper({ provider, exchange }: Seen): PromptCited['exchange'] {
  return exchange && ((stage) => keepExchange(provider, exchange, stage));
}

function sizeOf({ request, response }: Exchange): number {
  return (request.bytes?.length ?? 0) + (response.bytes?.length ?? 0);
}

/** The oldest go first; with a call that nobody made yet goes the certainty that there is no other. */
function bound(pool: Pool): void {
  while (pool.seen.length > maxExchanges || pool.bytes > maxBytes) {
    const at = pool.seen.findIndex(({ exchange }) => exchange !== null);
    const [gone] = at < 0 ? [] : pool.seen.splice(at, 1);
    if (!gone?.exchange) return;
    pool.bytes -= sizeOf(gone.exchange);
    if ((gone.calls ?? []).some((call) => !gone.used.has(call))) pool.blind = true;
  }
}
