/** Printed by every test that uses it, so that a run can be made again: `DEED_SEED=17`. */
export const seed = Number(process.env.DEED_SEED ?? Math.floor(Math.random() * 2 ** 31));

/** Numbers in [0, 1), the same for the same seed (mulberry32). */
export function randomOf(from: number): () => number {
  let state = from;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
