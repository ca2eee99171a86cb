import { watch } from 'node:fs';

const longestMs = 10_000;

/** Waits until something is true of the files in a folder: looks again whenever one of them changes. */
export function until(folder: string, isTrue: () => boolean, what: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const watcher = watch(folder, check);
    const timer = setTimeout(() => finish(new Error(`waited in vain until ${what}`)), longestMs);
    function finish(error?: Error): void {
      clearTimeout(timer);
      watcher.close();
      if (error) reject(error);
      else resolve();
    }
    function check(): void {
      if (isTrue()) finish();
    }
    check();
  });
}
