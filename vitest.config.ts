import { defineConfig } from 'vitest/config';

const source = { resolve: { conditions: ['deed-source'] }, ssr: { resolve: { conditions: ['deed-source', 'node'] } } };

/** Two layers: `unit` needs only what npm installs; `real` uses what else the machine has (tests named *.real.test.ts). */
export default defineConfig({
  ...source,
  test: {
    projects: [
      {
        ...source,
        test: {
          name: 'unit',
          include: ['packages/*/test/**/*.test.ts', 'tests/**/*.test.ts', 'examples/**/*.test.ts'],
          exclude: ['**/*.real.test.ts', '**/node_modules/**'],
          testTimeout: 20_000,
        },
      },
      {
        ...source,
        test: {
          name: 'real',
          include: ['packages/*/test/**/*.real.test.ts', 'tests/**/*.real.test.ts'],
          testTimeout: 600_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
