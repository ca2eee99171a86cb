import { parseNote } from '@deed/evidence';
import { LedgerError } from '../errors.ts';
import type { Ledger } from '../ledger.ts';
import { requestTimestamp, type TimestampEndpoint } from './authority-client.ts';
import { Stamps, type StoredStamp } from './stamps.ts';

/** Which authority stamps, and how often. */
export interface TimestampPlan extends TimestampEndpoint {
  /** The newest checkpoint is stamped when nothing was for so long, if it is new. */
  readonly everySeconds: number;
  /** Checkpoints below this size were there before the authority was. */
  readonly from: number;
}

export interface TimestampOptions {
  readonly ledger: Pick<Ledger, 'database' | 'latestPublished' | 'latestWitnessed'>;
  readonly clock: () => number;
  /** How long the authority may take, in milliseconds. Default 10,000. */
  readonly timeoutMs?: number;
  /** How often it looks for new checkpoints, in milliseconds. Default 1000. */
  readonly lookMs?: number;
}

export interface TimestampStatus {
  readonly newest: { readonly size: number; readonly time: string } | null;
  /** Checkpoints that still are to be stamped. */
  readonly waiting: number;
  readonly lastFailure: { readonly time: string; readonly message: string } | null;
}

const firstRetryMs = 1000;
const longestRetryMs = 300_000;
/** For so long a checkpoint is tried again. Later a stamp on an approve action would not count (docs/formats/timestamps.md). */
const patienceMs = 24 * 3_600_000;

/**
 * Has checkpoints stamped: those that somebody waited for, and now and then the newest. It only reads what is published, so it
 * delays and fails nothing; what it could not get it tries again, also after a restart.
 */
export class Timestamps {
  private readonly options: TimestampOptions;
  private readonly stamps: Stamps;
  private readonly waiters = new Map<() => void, number>();
  private plan: TimestampPlan | null = null;
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;
  private stopping = new AbortController();
  private lookedFrom = 0;
  private failures = 0;
  private notBeforeMs = 0;
  private lastFailure: TimestampStatus['lastFailure'] = null;

  constructor(options: TimestampOptions) {
    this.options = options;
    this.stamps = new Stamps(options.ledger.database);
  }

  /** Begins to stamp by this plan, or ends with null. */
  follow(plan: TimestampPlan | null): void {
    this.plan = plan;
    this.lookedFrom = plan?.from ?? 0;
    this.failures = 0;
    this.notBeforeMs = 0;
    this.lastFailure = null;
    if (plan) this.schedule(0);
    else clearTimeout(this.timer);
  }

  /**
   * Stamps the newest checkpoint at once, to see whether an authority can be used.
   * @returns what was stamped @throws LedgerError timestamp (the authority), absent (nothing is published yet)
   */
  async tryOut(endpoint: TimestampEndpoint): Promise<StoredStamp> {
    const newest = this.options.ledger.latestPublished();
    if (!newest) throw new LedgerError('absent', 'no checkpoint is published yet; try again in a moment');
    const stamped = await this.request(endpoint, newest.note);
    this.stamps.want(newest.size, this.options.clock());
    this.stamps.put(newest.size, stamped);
    const { response, timestamp } = stamped;
    return { size: newest.size, response, certificate: timestamp.certificate, time: timestamp.timeMs };
  }

  /** The stamp on the checkpoint of this size, if there is one. */
  at(size: number): StoredStamp | undefined {
    return this.stamps.at(size);
  }

  /** The earliest stamped and witnessed checkpoint of at least this size. */
  earliestFrom(size: number): StoredStamp | undefined {
    return this.stamps.earliestFrom(size);
  }

  /** Waits for the stamp on a checkpoint that was waited for; undefined if it did not come in time, or nobody stamps. */
  async soon(size: number, signal: AbortSignal): Promise<StoredStamp | undefined> {
    const known = this.stamps.at(size);
    const isHopeless = !this.plan || size < this.plan.from || this.stamps.isOlder(size, this.sinceMs);
    if (known || isHopeless || signal.aborted) return known;
    this.notBeforeMs = 0;
    this.schedule(0);
    await new Promise<void>((resolve) => {
      const done = () => {
        this.waiters.delete(done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      this.waiters.set(done, size);
      signal.addEventListener('abort', done);
    });
    return this.stamps.at(size);
  }

  status(): TimestampStatus {
    const { newest } = this.stamps;
    return {
      newest: newest ? { size: newest.size, time: new Date(newest.time).toISOString() } : null,
      waiting: this.stamps.count(this.sinceMs),
      lastFailure: this.lastFailure,
    };
  }

  async close(): Promise<void> {
    this.plan = null;
    clearTimeout(this.timer);
    this.stopping.abort();
    for (const done of this.waiters.keys()) done();
    await this.running;
  }

  /** What was wanted before has been given up. */
  private get sinceMs(): number {
    return this.options.clock() - patienceMs;
  }

  private schedule(delayMs: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      // A database that fails stops the ledger by itself; here it only means that nothing is stamped.
      this.running ??= this.look()
        .catch((error: Error) => this.failed(error))
        .finally(() => {
          this.running = undefined;
          if (this.plan) this.schedule(this.options.lookMs ?? 1000);
        });
    }, delayMs);
    this.timer.unref();
  }

  private async look(): Promise<void> {
    const { plan } = this;
    if (!plan) return;
    this.note(plan);
    if (performance.now() < this.notBeforeMs) return;
    for (const { size, note } of this.stamps.waiting(this.sinceMs)) {
      if (this.plan !== plan) return;
      try {
        this.stamps.put(size, await this.request(plan, note));
      } catch (error) {
        if (!(error instanceof LedgerError) || error.code !== 'timestamp') throw error;
        if (this.plan === plan) this.failed(error);
        return;
      }
      this.failures = 0;
      this.lastFailure = null;
      for (const [done, wanted] of this.waiters) if (wanted === size) done();
    }
  }

  /** Notes what is to be stamped from now on. */
  private note({ everySeconds }: TimestampPlan): void {
    const { ledger, clock } = this.options;
    // Whoever waits is given the newest witnessed checkpoint or a later one, so nothing older will be waited for.
    const witnessed = ledger.latestWitnessed()?.size;
    this.stamps.wantKept(this.lookedFrom, clock());
    if (witnessed !== undefined) this.lookedFrom = Math.max(this.lookedFrom, witnessed);
    const newest = ledger.latestPublished();
    const { last } = this.stamps;
    if (!newest || newest.size <= (last?.size ?? 0)) return;
    if (clock() - (last?.wanted ?? 0) >= everySeconds * 1000) this.stamps.want(newest.size, clock());
  }

  private request(endpoint: TimestampEndpoint, note: string) {
    const { clock, timeoutMs = 10_000 } = this.options;
    const signal = AbortSignal.any([this.stopping.signal, AbortSignal.timeout(timeoutMs)]);
    return requestTimestamp(endpoint, parseNote(note).text, { clock, signal });
  }

  private failed({ message }: Error): void {
    this.failures++;
    this.notBeforeMs = performance.now() + Math.min(longestRetryMs, firstRetryMs * 2 ** (this.failures - 1));
    this.lastFailure = { time: new Date(this.options.clock()).toISOString(), message };
  }
}
