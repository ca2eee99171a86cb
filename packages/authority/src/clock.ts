/** Time, so that tests own it. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Runs once, `delayMs` from now; returns its cancellation. Never keeps a process alive. */
  after(delayMs: number, run: () => void): () => void;
}

const longestMs = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  after(delayMs, run) {
    const timer = setTimeout(run, Math.min(Math.max(0, delayMs), longestMs));
    timer.unref();
    return () => clearTimeout(timer);
  },
};
