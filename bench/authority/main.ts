/**
 * What a call costs authority, beside the same done in the usual way, in one run: `npm run bench:authority [-- PART...]`.
 * Each part measures one thing and prints a table; ratios are between neighbours of one round, medians over the rounds.
 */

import { runParts } from '../parts.ts';
import { closing } from './closing.ts';
import { authorise, policy } from './policy.ts';
import { tokens } from './tokens.ts';

await runParts({
  tokens,
  closing,
  policy,
  authorise,
});
