import { sha256, toHex, utf8 } from '@deed/evidence';
import { AuthorityError, type AuthorityErrorCode } from '../errors.ts';
import { type Ground, serverAct } from '../ground.ts';

const intervalMs = 60_000;

/** What strangers were refused: counted by code, one statement in series `deployment`, at most one a minute. */
export class Rejects {
  private readonly ground: Ground;
  private counts = new Map<string, number>();
  private sinceMs = 0;
  private nextMs = 0;
  private cancel: (() => void) | null = null;
  private isQuiet = false;

  constructor(ground: Ground) {
    this.ground = ground;
  }

  /** Counts and gives back what to throw. */
  count(error: unknown): unknown {
    if (!(error instanceof AuthorityError)) return error;
    this.add(error.code);
    return error;
  }

  /** What the server itself tries, in one turn, is no stranger's: nothing of it is counted. */
  quietly<T>(run: () => T): T {
    this.isQuiet = true;
    try {
      return run();
    } finally {
      this.isQuiet = false;
    }
  }

  add(code: AuthorityErrorCode): void {
    if (this.isQuiet) return;
    const now = this.ground.clock.now();
    if (this.counts.size === 0) this.sinceMs = now;
    this.counts.set(code, (this.counts.get(code) ?? 0) + 1);
    this.cancel ??= this.ground.clock.after(Math.max(0, this.nextMs - now), () => {
      this.flush().catch(() => {}); // a ledger that cannot write has stopped, and says so itself
    });
  }

  /** Writes what was counted. */
  async flush(): Promise<void> {
    this.cancel?.();
    this.cancel = null;
    if (this.counts.size === 0) return;
    const now = this.ground.clock.now();
    const counts = [...this.counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([code, count]) => ({ code, count }));
    const body = {
      since: new Date(this.sinceMs).toISOString(),
      until: new Date(now).toISOString(),
      counts,
    };
    const recorded = this.ground.record({
      ...serverAct,
      predicate: 'rejects-counted',
      place: { series: 'deployment' },
      subject: { name: `deployment:${this.ground.origin}`, sha256: toHex(sha256(utf8(JSON.stringify(body)))) },
      body,
    });
    this.counts = new Map();
    this.nextMs = now + intervalMs;
    await recorded.durable;
  }
}
