import type { Authority, Clock } from '@deed/authority';

const firstMs = 60_000;
const everyMs = 3_600_000;

/**
 * Runs retention a minute after the start and every hour from then on. What stops it is said on the standard error, once a
 * reason: it waits for a person. Returns how to stop it, which waits for a run under way.
 */
export function startRetention(retention: Authority['retention'], clock: Clock): () => Promise<void> {
  let running: Promise<unknown> = Promise.resolve();
  let said: string | null = null;
  let over = false;
  let cancel = () => {};
  const say = (why: string | null) => {
    if (why !== null && why !== said) process.stderr.write(`deed: retention: ${why}\n`);
    said = why;
  };
  const schedule = (delayMs: number) => {
    if (!over) cancel = clock.after(delayMs, run);
  };
  const run = () => {
    running = retention.run().then(
      ({ stopped }) => say(stopped),
      (error: Error) => say(error.message),
    );
    running.then(() => schedule(everyMs));
  };
  schedule(firstMs);
  return async () => {
    over = true;
    cancel();
    await running;
  };
}
