/**
 * What a call takes longer behind Deed than directly, in one run: `npm run bench:gateway [-- PART...]`. Every way is measured in turns
 * with every other, so that what else the machine does falls on all of them; the figures are medians over the rounds.
 */

import { runParts } from '../parts.ts';
import { cost, memory } from './cost.ts';
import { http } from './http.ts';
import { relay } from './relay.ts';
import { stdio } from './stdio.ts';

await runParts({ stdio, http, relay, cost, memory });
