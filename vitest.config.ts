import { defineConfig } from 'vitest/config';

const source = { resolve: { conditions: ['deed-source'] }, ssr: { resolve: { conditions: ['deed-source', 'node'] } } };

/** Two layers: `unit` needs only what npm installs; `real` uses what else the machine has (tests named *.real.test.ts). */
export default defineConfig({
  ...source,
  test: {
    // Left to itself vitest keeps one core free, which is half of a small machine.
    maxWorkers: '100%',
    projects: [
      {
        ...source,
        test: {
          name: 'unit',
          include: ['packages/*/test/**/*.test.ts', 'tests/**/*.test.ts', 'examples/**/*.test.ts'],
          exclude: ['**/*.real.test.ts', '**/node_modules/**'],
          testTimeout: 20_000,
          // A whole deployment begins in some of them, on a machine that may be busy.
          hookTimeout: 60_000,
          // The files share a worker's modules, which hold no state but caches: half the time goes into loading them otherwise.
          isolate: false,
        },
      },
      {
        ...source,
        test: {
          name: 'real',
          include: ['packages/*/test/**/*.real.test.ts', 'tests/**/*.real.test.ts'],
          testTimeout: 600_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
