import type { Authority } from '@deed/authority';

/** Long polling: resolves when the queue of approvals changes, or after so many seconds. */
export function nextChange(approvals: Authority['approvals'], seconds: number): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      stop();
      resolve();
    };
    const stop = approvals.onChange(done);
    const timer = setTimeout(done, seconds * 1000);
  });
}
