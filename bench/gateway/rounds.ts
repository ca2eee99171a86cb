import { quantile } from '../authority/measure.ts';

const rounds = 7;
const warmUp = 300;
const calls = 1_000;

/** One way of making a call: the first is that to which the others are held. */
export interface Way {
  readonly name: string;
  readonly call: () => Promise<void>;
}

/** Rows of a table: each way's p50 and p99 in milliseconds, and what it adds to the first one's. */
export async function inTurns(ways: readonly Way[]): Promise<readonly (readonly string[])[]> {
  const measured = new Map(ways.map(({ name }) => [name, [] as { p50: number; p99: number; added: number }[]]));
  for (const { call } of ways) for (let i = 0; i < warmUp; i++) await call();
  for (let round = 0; round < rounds; round++) {
    const first = { p50: 0 };
    for (const [at, { name, call }] of ways.entries()) {
      const times: number[] = [];
      for (let i = 0; i < calls; i++) {
        const began = performance.now();
        await call();
        times.push(performance.now() - began);
      }
      const p50 = quantile(times, 0.5);
      if (at === 0) first.p50 = p50;
      measured.get(name)?.push({ p50, p99: quantile(times, 0.99), added: p50 - first.p50 });
    }
  }
  const ms = (values: readonly number[], p = 0.5) => quantile(values, p).toFixed(3);
  return [
    [`${rounds} x ${calls} calls, one after the other`, 'p50 ms', 'p99 ms', 'added p50 ms', 'worst round'],
    ...ways.map(({ name }, at) => {
      const got = measured.get(name) ?? [];
      const added = got.map((one) => one.added);
      return [
        name,
        ms(got.map(({ p50 }) => p50)),
        ms(got.map(({ p99 }) => p99)),
        ...(at === 0 ? ['', ''] : [ms(added), ms(added, 1)]),
      ];
    }),
  ];
}
