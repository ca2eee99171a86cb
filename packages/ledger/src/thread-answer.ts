import { once } from 'node:events';
import type { Worker } from 'node:worker_threads';

/** The one message that a thread posts. It may be awaited later. Throws what ended the thread before. */
export function answerOf<Answer>(worker: Worker): Promise<Answer> {
  const ended = once(worker, 'exit').then(() => {
    throw new Error('a thread ended before its work was done');
  });
  const answer = Promise.race([once(worker, 'message').then(([message]) => message as Answer), ended]);
  for (const promise of [ended, answer]) promise.catch(() => {});
  return answer;
}
