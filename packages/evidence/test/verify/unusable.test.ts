import { describe, expect, it } from 'vitest';
import { proves } from '../../../../tests/promises.ts';
import { examine } from '../support/case-maker.ts';
import { zip } from '../support/zip.ts';
import { honest, sorted, unusable } from './unusable/forms.ts';

describe('a file is unusable when it is or has', () => {
  for (const [sentence, make] of Object.entries(unusable)) {
    it(sentence, () => {
      proves('invariant-9');
      const report = examine(make());
      expect(report).toMatchObject({ verdict: 'unusable', code: 2, task: null, actions: [] });
      expect(report.reasons.length).toBeGreaterThan(0);
    });
  }

  it('and the zip writer of these tests makes the one form when it is asked for nothing else', () => {
    expect(Buffer.from(zip(sorted)).equals(honest.file)).toBe(true);
  });
});
