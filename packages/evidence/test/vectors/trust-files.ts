import { formatTrust, parseTrust, type Trust } from '../../src/log/trust.ts';
import { actors, type NoteSigner } from '../support/actors.ts';
import { trustTextOf } from '../support/case-maker.ts';

/** The log's keys in most vectors: a post-quantum key and its signatures are a third of a small case, and a log may do without. */
export const fewKeys = actors.logs.slice(0, 1);

/** The trust file of the story, with some lines other than they are. */
export function trustWith(change: Partial<Trust>, logs: readonly NoteSigner[] = fewKeys): string {
  return formatTrust({ ...parseTrust(trustTextOf(logs)), ...change });
}
