import { all } from '../../support/bends.ts';
import { honestDelegations, told } from '../../verify/delegation/honest.ts';
import type { HonestCases } from '../example.ts';

/** Tasks that were passed on, and what may come of it. */
export const delegated: HonestCases = {
  'a task that was passed on, and passed on again': { bend: told },
  ...Object.fromEntries(
    Object.entries(honestDelegations).map(([name, bend]) => [`a task with ${name}`, { bend: all(told, bend) }]),
  ),
};
