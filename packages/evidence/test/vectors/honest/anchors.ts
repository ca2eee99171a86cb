import { actors, newNoteSigner } from '../../support/actors.ts';
import { all, at, set } from '../../support/bends.ts';
import { trust } from '../../support/case-maker.ts';
import { start } from '../../support/props.ts';
import type { Bend } from '../../support/story.ts';
import { TimestampAuthority } from '../../support/timestamp-authority.ts';
import { stamped, stampedHead, stranger, tsa } from '../../verify/timestamps/stamps.ts';
import type { HonestCases } from '../example.ts';
import { trustWith } from '../trust-files.ts';
import { parts } from './tasks.ts';

const second = newNoteSigner('example.org/second', 4);
const third = newNoteSigner('example.org/third', 4);
const witnesses = [...trust.witnesses, { name: 'second', key: second.key }, { name: 'third', key: third.key }];
const group = (threshold: number) => [{ name: 'g', threshold, members: ['notary', 'second', 'third'] }];
const witnessedBy = (...signers: readonly (typeof second)[]): Bend => ({
  witnesses: signers,
  anchor: ({ logs }) => ({ signers: [...logs, ...signers] }),
});
const push = parts('push');
const p384 = new TimestampAuthority({ name: 'P-384', kind: 'p384', hash: 'sha384' });
const asking = trustWith({ tsas: [tsa.sha256] });
const day = 86_400_000;

/** Who vouches for the head, how late, and how many the trust file asks for. */
export const anchors: HonestCases = {
  'two of three witnesses, where two are asked for': {
    bend: all(push, witnessedBy(actors.witness, third)),
    trust: trustWith({ witnesses, groups: group(2), quorum: 'g' }),
  },
  'one of three witnesses, where any is enough': {
    bend: all(push, witnessedBy(second)),
    trust: trustWith({ witnesses, groups: group(1), quorum: 'g' }),
  },
  'a group of witnesses within a group': {
    bend: all(push, witnessedBy(actors.witness, second)),
    trust: trustWith({
      witnesses,
      groups: [
        { name: 'inner', threshold: 1, members: ['second', 'third'] },
        { name: 'outer', threshold: 2, members: ['notary', 'inner'] },
      ],
      quorum: 'outer',
    }),
  },
  'the signature of a witness that the trust file does not know': {
    bend: all(push, witnessedBy(actors.witness, second)),
  },
  'a witness with a post-quantum key': postQuantum(),
  'a witness of the same operator, which the report calls local': {
    bend: push,
    trust: trustWith({}).replaceAll('notary', 'local'),
  },
  'a trust file without a max-age, years later': {
    bend: push,
    trust: trustWith({}).replace(/^max-age .*\n/m, ''),
    nowMs: start + 3000 * day,
  },
  'a head that is almost too old': { bend: push, nowMs: start + day },
  'a head that was witnessed 59 seconds before the export says it was written': {
    bend: all(
      push,
      at('exported', (draft, { log }) => {
        draft.header.time = new Date(log.nowMs + 59_000).toISOString();
      }),
    ),
  },
  'an action that names an anchor although its tier asks for none': {
    bend: all(
      push,
      ...[['tier', 'attest'] as const, ['approvals', []] as const, ['decision.quorum', null] as const].map(
        ([path, value]) => set('push:intent', path, value),
      ),
    ),
  },
  'a timestamp that the trust file asks for': { bend: all(push, stamped()), trust: asking },
  'a timestamp that nobody asked for': { bend: all(push, stamped({ by: stranger })) },
  'timestamps on the checkpoint of the action and on that of the export': {
    bend: all(push, stamped(), stampedHead),
    trust: asking,
  },
  'a timestamp by the second of two authorities': {
    bend: all(push, stamped()),
    trust: trustWith({ tsas: [stranger.sha256, tsa.sha256] }),
  },
  'a timestamp with a P-384 key': {
    bend: all(push, stamped({ by: p384 })),
    trust: trustWith({ tsas: [p384.sha256] }),
  },
  'a timestamp a minute before what its intent says': { bend: all(push, stamped({ laterMs: -60_000 })), trust: asking },
  'a timestamp that is asked for only where an approve action has an outcome': {
    bend: parts('write'),
    trust: asking,
  },
};

function postQuantum(): HonestCases[string] {
  const witness = newNoteSigner('example.org/quantum', 6);
  return {
    bend: all(push, witnessedBy(witness)),
    trust: trustWith({ witnesses: [{ name: 'notary', key: witness.key }] }),
  };
}
