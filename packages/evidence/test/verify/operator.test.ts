import { describe, expect, it } from 'vitest';
import { proves } from '../../../../tests/promises.ts';
import { all, at, put } from '../support/bends.ts';
import { examine, makeCase } from '../support/case-maker.ts';
import { expectVerdict } from '../support/expect-verdict.ts';
import { crafted } from './operator/crafted.ts';
import { operators } from './operator/forged.ts';

/**
 * An operator who holds the receipt, registrar, token and log keys, and neither the root's, the person's, the agent's nor the
 * witness's. What he writes is signed as it should be; only what the others signed gives him away.
 */
describe('an operator who has every key of the server is caught when he', () => {
  for (const [sentence, expected] of Object.entries(operators)) {
    it(sentence, () => {
      proves('invariant-4', 'invariant-7');
      expectVerdict('FORGED', expected);
    });
  }

  it('marks payloads of an approved action as not wanted: the tier demands them', () => {
    const refs = ['record', 'decision.inputs', 'authority.evidence'];
    const bend = all(
      ...refs.map((ref) =>
        at('push:intent', (draft, story) => {
          const known = ref
            .split('.')
            .reduce<unknown>((value, step) => (value as Record<string, unknown>)[step], draft.body);
          const { sha256: name } = known as { sha256: string };
          story.log.files.delete(`payloads/${name}`);
          put(draft.body, ref, { ...(known as object), kept: false });
        }),
      ),
    );
    expectVerdict('INCOMPLETE', { bend, check: 'payloads', says: /its tier demands it/ });
  });
});

describe('a case that somebody crafted with keys of his own', () => {
  for (const [sentence, bend] of Object.entries(crafted)) {
    it(`${sentence} gets a verdict and does not make the verifier fail`, () => {
      proves('invariant-9');
      const report = examine(makeCase(bend).file);
      expect(report.code).not.toBe(1);
    });
  }
});
