import type { Problem } from './examined.ts';

export const maxProblems = 1000;

/** A problem, and at which entry of the log it was found: -1 before the first one, infinity after the last. */
export interface Found {
  readonly at: number;
  readonly problem: Problem;
}

/** The first thousand in the order of the log. `unsigned`: indexes of entries whose signature fails, found by others, rising. */
export function inOrder(found: readonly Found[], unsigned: readonly number[] = []): Problem[] {
  const problems: Problem[] = [];
  let next = 0;
  const addUnsigned = (until: number) => {
    for (let index = unsigned[next]; index !== undefined && index <= until; index = unsigned[++next]) {
      problems.push({ code: 'entry', where: `entry ${index}`, what: 'the signature does not verify' });
    }
  };
  for (const { at, problem } of found) {
    addUnsigned(at);
    problems.push(problem);
  }
  addUnsigned(Number.POSITIVE_INFINITY);
  return problems.slice(0, maxProblems);
}
