import { describe, expect, test } from 'vitest';
import { randomOf, seed } from '../../../tests/random.ts';
import { mutatorOf } from '../../evidence/test/support/mutate.ts';
import { parseTilePath, type TileName, tilePath, tileWidth } from '../src/index.ts';

const inputs = process.env.SLOW ? 1_000_000 : 10_000;

describe('untrusted tile paths', () => {
  test('are read in their one spelling or not at all', () => {
    const names: readonly TileName[] = [0, 1, 999, 1000, 1234067, 2 ** 45].flatMap((index) =>
      ([0, 1, 63, 'entries'] as const).flatMap((level) =>
        [1, 255, tileWidth].map((width): TileName => ({ level, index, width })),
      ),
    );
    const seeds = names.map((name) => Buffer.from(tilePath(name)));
    names.forEach((name) => {
      expect(parseTilePath(tilePath(name))).toEqual(name);
    });
    const mutate = mutatorOf(randomOf(seed));
    let accepted = 0;
    for (let i = 0; i < inputs; i++) {
      const path = Buffer.from(mutate(seeds)).toString('utf8');
      const name = parseTilePath(path);
      if (!name) continue;
      accepted++;
      expect(tilePath(name), `seed ${seed}, input ${i}`).toBe(path);
      expect(path).toMatch(/^tile\/(entries|[0-9]+)\/(x[0-9]{3}\/)*[0-9]{3}(\.p\/[0-9]+)?$/);
    }
    console.log(`fuzz tile path: ${inputs} inputs (seed ${seed}), ${accepted} accepted`);
    expect(accepted).toBeGreaterThan(0);
  });
});
