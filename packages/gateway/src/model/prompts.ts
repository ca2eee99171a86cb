import type { PromptCited } from '@deed/authority';
import { type AskedCall, askedCalls, asksFor, type Json, protocolOf, tellsOf, toldResults } from '@deed/evidence';
import { decoded } from './decoded.ts';
import { keepExchange, maxBodyBytes } from './keep-exchange.ts';
import type { Exchange, Passage } from './relay.ts';

/** How long a call waits for the end of an answer that asked for it and goes on, in milliseconds. */
const waitMs = 2_000;
/** Most exchanges that are remembered of one task, and most bytes of bodies. */
const maxExchanges = 64;
const maxBytes = 64 * 1024 * 1024;
/** Longest id of a call. */
const maxId = 512;
/** Most bytes of bodies of all tasks together. */
const maxTotalBytes = 256 * 1024 * 1024;

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

/** An action whose client named no call, from its intent until a turn says which it was. */
interface Unnamed {
  /** Digest of the intent. */
  readonly intent: string;
  /** The ids of the calls that it may have been. */
  readonly calls: ReadonlySet<string>;
  /** What its tool answered; null until it did. */
  answer: Uint8Array | null;
}

interface Pool {
  /** By the digest of the intent. */
  readonly unnamed: Map<string, Unnamed>;
  readonly seen: Seen[];
  bytes: number;
  /** An answer could not be read, or was forgotten: it may have asked for anything, so nothing is inferred any more. */
  blind: boolean;
  /** How many actions were one of several equal calls, by those. */
  readonly shared: Map<AskedCall, number>;
}

export type Confirm = (intent: string, call: string, exchange: NonNullable<PromptCited['exchange']>) => void;

/** Most actions of one task that wait for a turn that names their call. */
const maxUnnamed = 1_000;

/** Those who came with a key of nobody in particular. */
const nobody = '';

/**
 * What models asked the agents of this deployment for, as it passed, and so which prompt led to an action. Without an id of the client's
 * it says only what can be no other call, and says so: a wrong link is worse than none.
 */
export class Prompts {
  private readonly pools = new Map<string, Pool>();
  /** Which calls a prompt that was cited without a name may be. */
  private readonly among = new WeakMap<PromptCited, ReadonlySet<string>>();
  /** Records that a turn said which call an intent was. */
  private readonly confirm: Confirm;

  constructor(confirm: Confirm = () => {}) {
    this.confirm = confirm;
  }

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
        bound(pool, maxBytes);
        this.boundAll();
        this.turn(pool, seen);
      },
    };
  }

  /** The prompt that led to a call in this task; undefined where none is known. Waits a moment for the end of its answer. */
  async cite(task: string, said: CallSaid): Promise<PromptCited | undefined> {
    return said.id === null ? this.infer(task, said) : this.named(task, said.id, said);
  }

  /** A prompt was named by this intent. */
  intended(task: string, cited: PromptCited, intent: string): void {
    const [calls, pool] = [this.among.get(cited), this.pools.get(task)];
    if (calls && pool && pool.unnamed.size < maxUnnamed) pool.unnamed.set(intent, { intent, calls, answer: null });
  }

  /** The tool answered the call of this intent. */
  answered(task: string, intent: string, answer: Uint8Array | null): void {
    const pool = this.pools.get(task);
    const unnamed = pool?.unnamed.get(intent);
    if (unnamed && answer) unnamed.answer = answer;
    else pool?.unnamed.delete(intent);
  }

  /** What a turn tells the model of its calls says which of them an action was, where it can be no other. */
  private turn(pool: Pool, seen: Seen): void {
    const text = requestOf(seen);
    const exchange = keeper(seen);
    const protocol = protocolOf(seen.target);
    if (text === null || !exchange || !protocol || pool.unnamed.size === 0) return;
    const told = toldResults(protocol, text);
    const fitting = (unnamed: Unnamed) =>
      told.filter((each) => unnamed.calls.has(each.id) && unnamed.answer && tellsOf(each, unnamed.answer));
    const found = [...pool.unnamed.values()].map((unnamed) => ({
      unnamed,
      ids: new Set(fitting(unnamed).map(({ id }) => id)),
    }));
    for (const { unnamed, ids } of found) {
      const [id, ...others] = ids;
      const isOnly = found.every((other) => other.unnamed === unnamed || !other.ids.has(id ?? ''));
      if (id === undefined || others.length > 0 || !isOnly) continue;
      pool.unnamed.delete(unnamed.intent);
      this.confirm(unnamed.intent, id, exchange);
    }
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
      return this.unnamed({ link: 'inferred', call: first.call.id, exchange: keeper(first.seen) }, [first.call]);
    }
    share(pool, left);
    const isOne = left.every(({ seen }) => seen === first.seen);
    const cited = { link: 'ambiguous' as const, call: null, exchange: isOne ? keeper(first.seen) : null };
    return this.unnamed(
      cited,
      left.map(({ call }) => call),
    );
  }

  private unnamed(cited: PromptCited, among: readonly AskedCall[]): PromptCited {
    this.among.set(cited, new Set(among.map(({ id }) => id)));
    return cited;
  }

  /** Whoever has most gives up half. */
  private boundAll(): void {
    const all = [...this.pools.values()].sort((a, b) => b.bytes - a.bytes);
    const [largest] = all;
    if (largest && all.reduce((sum, { bytes }) => sum + bytes, 0) > maxTotalBytes) bound(largest, largest.bytes / 2);
  }

  private poolOf(task: string): Pool {
    const pool = this.pools.get(task) ?? { unnamed: new Map(), seen: [], bytes: 0, blind: false, shared: new Map() };
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
  return calls.filter(({ id }) => id.length <= maxId); // a longer one no statement holds
}

/** What the model was asked, as text; null where that cannot be read. */
function requestOf({ exchange }: Seen): string | null {
  const plain = exchange?.request.bytes && decoded(exchange.request.bytes, exchange.requestHeaders, maxBodyBytes);
  return plain ? new TextDecoder().decode(plain.bytes) : null;
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
function bound(pool: Pool, most: number): void {
  while (pool.seen.length > maxExchanges || pool.bytes > most) {
    const at = pool.seen.findIndex(({ exchange }) => exchange !== null);
    const [gone] = at < 0 ? [] : pool.seen.splice(at, 1);
    if (!gone?.exchange) return;
    pool.bytes -= sizeOf(gone.exchange);
    if ((gone.calls ?? []).some((call) => !gone.used.has(call))) pool.blind = true;
  }
}
