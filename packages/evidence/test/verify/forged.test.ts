import { describe, expect, it } from 'vitest';
import { proves } from '../../../../tests/promises.ts';
import { utf8 } from '../../src/encoding.ts';
import { parseTrust } from '../../src/log/trust.ts';
import { actors, newNoteSigner, origin } from '../support/actors.ts';
import { examine, makeCase, pack, trust, trustText } from '../support/case-maker.ts';
import { expectVerdict } from '../support/expect-verdict.ts';
import { accounts } from './forged/accounts.ts';
import { actions } from './forged/actions.ts';
import { approvals } from './forged/approvals.ts';
import { authority } from './forged/authority.ts';
import { closing } from './forged/closing.ts';
import { enrolments } from './forged/enrolments.ts';
import { contracts, events, findings } from './forged/events.ts';
import { keys } from './forged/keys.ts';
import { payloads } from './forged/payloads.ts';
import { people } from './forged/people.ts';
import { proofs } from './forged/proofs.ts';
import { series } from './forged/series.ts';
import { signatures } from './forged/signatures.ts';

const forged = {
  keys,
  signatures,
  series,
  proofs,
  payloads,
  people,
  accounts,
  enrolments,
  authority,
  approvals,
  actions,
  closing,
  events,
  contracts,
  findings,
};

describe('a case is FORGED when it has', () => {
  for (const [check, cases] of Object.entries(forged)) {
    for (const [sentence, expected] of Object.entries(cases)) {
      it(`${sentence} (${check})`, () => {
        proves('invariant-3', 'invariant-4', 'invariant-7', 'invariant-9');
        expectVerdict('FORGED', expected);
      });
    }
  }
});

describe('with the trust file a case is FORGED', () => {
  const honest = makeCase();

  it('under another root', () => {
    const report = examine(honest.file, { trust: { ...trust, root: actors.stranger.keyid } });
    expect(report).toMatchObject({ verdict: 'FORGED', reasons: [{ check: 'trust' }] });
  });

  it('without the signature of a log key that the file names', () => {
    const logs = [...trust.logs, { key: newNoteSigner(origin, 1).key }];
    const report = examine(honest.file, { trust: { ...trust, logs } });
    expect(report.verdict).toBe('FORGED');
    expect(report.reasons.map(({ message }) => message).join()).toMatch(/no signature by the log key/);
  });

  it('with a signature line of a named witness that fails', () => {
    const proof = 'proofs/case-exported.tlog-proof';
    const lines = new TextDecoder().decode(honest.members.get(proof)).split('\n');
    const at = lines.findIndex((line) => line.startsWith(`— ${origin}/witness`));
    const [mark, witness, sig = ''] = (lines[at] ?? '').split(' ');
    const bytes = Buffer.from(sig, 'base64');
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    lines[at] = `${mark} ${witness} ${bytes.toString('base64')}`;
    const file = pack(new Map(honest.members).set(proof, utf8(lines.join('\n'))));
    expect(examine(file)).toMatchObject({ verdict: 'FORGED', code: 5 });
  });

  it('of another log', () => {
    const other = trustText
      .replaceAll(/^log .*\n/gm, '')
      .replace(/^/, `log ${newNoteSigner('example.org/log', 1).vkey}\n`);
    expect(examine(honest.file, { trust: parseTrust(other) })).toMatchObject({ verdict: 'FORGED' });
  });
});
