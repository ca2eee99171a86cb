import type { Clock } from '../src/clock.ts';

export interface TestClock extends Clock {
  /** Moves time on and runs what became due, in order. */
  advance(ms: number): void;
}

export function testClock(startMs = Date.UTC(2026, 10, 22, 12)): TestClock {
  let now = startMs;
  let jobs: { readonly at: number; readonly run: () => void }[] = [];
  return {
    now: () => now,
    after(delayMs, run) {
      const job = { at: now + delayMs, run };
      jobs.push(job);
      return () => {
        jobs = jobs.filter((other) => other !== job);
      };
    },
    advance(ms) {
      const until = now + ms;
      for (;;) {
        const next = jobs.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0];
        if (!next) break;
        jobs = jobs.filter((other) => other !== next);
        now = Math.max(now, next.at);
        next.run();
      }
      now = until;
    },
  };
}
