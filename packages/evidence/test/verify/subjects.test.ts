import { describe, expect, it } from 'vitest';
import { encodePolicyManifest } from '../../src/case/case-json.ts';
import { members } from '../../src/case/members.ts';
import { toHex, utf8 } from '../../src/encoding.ts';
import { sha256 } from '../../src/platform.ts';
import { at } from '../support/bends.ts';
import { examine, makeCase, reasonsOf } from '../support/case-maker.ts';
import type { Bend } from '../support/story.ts';

const another = toHex(sha256(utf8('something else')));

describe('a statement whose subject has another digest than what it is about is FORGED:', () => {
  const steps = [
    'person',
    'grant',
    'agent',
    'denied:refusal',
    'read:outcome',
    'closed',
    'finding',
    'reconciled',
    'exported',
  ];
  it.each(steps)('%s', (step) => {
    const bend = at(step, (draft) => {
      draft.subject.sha256 = another;
    });
    const report = examine(makeCase(bend).file);
    expect(report.verdict).toBe('FORGED');
    expect(reasonsOf(report, 'statements').join()).toMatch(/its subject is not what it is about/);
  });
});

describe('the policy folder of a case', () => {
  const more = utf8('permit (principal, action, resource);\n');
  const bundleIn = (names: Iterable<string>) =>
    [...names]
      .find((name) => name.startsWith('policy/'))
      ?.slice('policy/'.length)
      .split('/')[0] ?? '';

  it('is that of the bundle, or the case is FORGED', () => {
    const bend: Bend = {
      files(files) {
        const bundle = bundleIn(files.keys());
        files.set(members.policyFile(bundle, 'more.cedar'), more);
        files.set(
          members.manifest(bundle),
          encodePolicyManifest([{ path: 'more.cedar', sha256: toHex(sha256(more)) }]),
        );
      },
    };
    const report = examine(makeCase(bend).file);
    expect(report.verdict).toBe('FORGED');
    expect(reasonsOf(report, 'people').join()).toMatch(/not that of its bundle/);
  });
});
