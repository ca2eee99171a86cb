import { newNoteSigner, origin } from '../support/actors.ts';
import { all, at, set } from '../support/bends.ts';
import { trust } from '../support/case-maker.ts';
import { start } from '../support/props.ts';
import { stamped, stranger, tsa } from '../verify/timestamps/stamps.ts';
import { type Bent, bentCase, type Example } from './example.ts';
import { parts } from './honest/tasks.ts';
import { trustWith } from './trust-files.ts';

const second = newNoteSigner('example.org/second', 4);
const push = parts('push');
const write = parts('write');
const asking = trustWith({ tsas: [tsa.sha256] });
const day = 86_400_000;

const unanchored: Readonly<Record<string, Bent & { readonly check?: string }>> = {
  'no trust file': { bend: write, trust: null },
  'a trust file without a root line': { bend: write, trust: trustWith({}).replace(/^root .*\n/m, '') },
  'a trust file that asks for no witness': { bend: write, trust: trustWith({ quorum: 'none' }) },
  'a trust file without a log line': { bend: write, trust: trustWith({ logs: [] }) },
  'no signature of a witness': { bend: { ...write, witnesses: [] } },
  'the signature of another witness under the name of the one that is asked for': {
    bend: { ...write, witnesses: [newNoteSigner(`${origin}/witness`, 4)] },
  },
  'one witness where the trust file asks for two': {
    bend: write,
    trust: trustWith({
      witnesses: [...trust.witnesses, { name: 'second', key: second.key }],
      groups: [{ name: 'both', threshold: 2, members: ['notary', 'second'] }],
      quorum: 'both',
    }),
  },
  'a witnessed head that is older than max-age': { bend: write, nowMs: start + day + 120_000 },
  'a head that was witnessed over a minute before the last statement': {
    bend: all(
      write,
      at('exported', (draft, { log }) => {
        draft.header.time = new Date(log.nowMs + 62_000).toISOString();
      }),
    ),
  },
  'an approve action that names no cosigned checkpoint': {
    bend: all(push, set('push:outcome', 'anchor', null)),
    check: 'actions',
  },
  'an approve action whose checkpoint no witness signed': {
    bend: { ...push, anchor: ({ logs }) => ({ signers: logs }) },
    check: 'actions',
  },
  'an approve action without the timestamp that the trust file asks for': {
    bend: push,
    trust: asking,
    check: 'timestamps',
  },
  'a timestamp by another authority than the trust file names': {
    bend: all(push, stamped({ by: stranger })),
    trust: asking,
    check: 'timestamps',
  },
  'a timestamp over a day after the action': {
    bend: all(
      push,
      stamped({ laterMs: day + 70_000 }),
      at('exported', (draft, { log }) => {
        draft.header.time = new Date(log.nowMs + 2 * day).toISOString();
      }),
    ),
    trust: asking,
    nowMs: start + 3 * day,
    check: 'timestamps',
  },
  'a timestamp in the future of the verifier': {
    bend: all(push, stamped()),
    trust: asking,
    nowMs: start - 7_200_000,
    check: 'timestamps',
  },
};

/** Sound, and nobody independent vouches for it. */
export function unanchoredExamples(): Example[] {
  return Object.entries(unanchored).map(([name, { check = 'trust', ...given }]) => ({
    name,
    what: `A sound case with ${name}.`,
    given: bentCase(given),
    verdict: 'UNANCHORED',
    check,
  }));
}
