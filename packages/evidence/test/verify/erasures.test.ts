import { describe, expect, it } from 'vitest';
import { proves } from '../../../../tests/promises.ts';
import { after } from '../support/bends.ts';
import { examine, makeCase } from '../support/case-maker.ts';
import { leftOut, tellErased, tellExported, tellHold, why } from '../support/erasure.ts';
import { expectVerdict } from '../support/expect-verdict.ts';
import { start } from '../support/props.ts';
import { erasing, hold, record, whole } from './erasures/bends.ts';
import { erasures } from './erasures/forged.ts';
import { neverErased } from './erasures/incomplete.ts';

describe('a case exported after an erasure', () => {
  it('stays VERIFIED: every proof holds, and each layer that is missing says who erased it, when and why', () => {
    proves('invariant-10', 'invariant-9');
    const { file, story } = makeCase(whole);
    const report = examine(file);
    expect(report).toMatchObject({ verdict: 'VERIFIED', reasons: [] });
    expect(report.checks.every(({ result }) => result === 'ok')).toBe(true);
    const push = report.actions.find(({ action }) => action === story.actions.push);
    const says = new RegExp(`erased by ${story.person} at 2026-.*: ${why}`);
    for (const layer of ['identity', 'decision', 'approval', 'record', 'corroboration'] as const)
      expect(push?.layers[layer]).toEqual({ state: 'missing', why: expect.stringMatching(says) });
    for (const layer of ['authority', 'anchor'] as const)
      expect([layer, push?.layers[layer].why]).toEqual([layer, expect.not.stringContaining('erased')]);
    expect(report.task?.objective).toMatch(says);
    expect(report.erasures.join()).toMatch(/the task's key and \d+ payloads erased by/);
  });

  it('keeps every layer that does not rest on what was erased', () => {
    const report = examine(makeCase(erasing((story, names) => tellErased(story, names), record)).file);
    expect(report.verdict).toBe('VERIFIED');
    const missing = report.actions
      .flatMap(({ layers }) => Object.values(layers))
      .filter((l) => l.why.includes('erased'));
    expect(missing).toHaveLength(1);
  });

  it('names the cases that were exported before, which stay what they were', () => {
    const copied = erasing((story, names) => tellErased(story, names, { body: { copies: [tellExported(story)] } }));
    expect(examine(makeCase(copied).file)).toMatchObject({ verdict: 'VERIFIED', reasons: [] });
    expect(examine(makeCase().file).verdict).toBe('VERIFIED');
  });

  it('is VERIFIED when a hold was released before', () => {
    const bend = erasing((story, names) => {
      tellHold(story, 'placed', hold);
      tellHold(story, 'released', hold);
      tellErased(story, names);
    });
    const report = examine(makeCase(bend).file);
    expect(report).toMatchObject({ verdict: 'VERIFIED', reasons: [] });
    expect(report.erasures).toHaveLength(3);
  });

  it('is VERIFIED when retention erased it at its time', () => {
    const bend = erasing((story, names) => {
      story.log.nowMs += 86_400_000;
      tellErased(story, names, { body: { by: { kind: 'retention', tier: 'approve', days: 1 } } });
    });
    expect(examine(makeCase(bend).file, { nowMs: start + 90_000_000 }).verdict).toBe('VERIFIED');
  });
});

describe('a case is FORGED when it has', () => {
  for (const [sentence, expected] of Object.entries(erasures)) {
    it(sentence, () => {
      expectVerdict('FORGED', expected);
    });
  }
});

describe('a case is INCOMPLETE when it calls erased', () => {
  for (const [sentence, expected] of Object.entries(neverErased)) {
    it(sentence, () => {
      const report = examine(makeCase(expected.bend).file);
      const said = report.reasons.filter(({ check }) => check === expected.check);
      expect(said.map(({ message }) => message).join('\n')).toMatch(expected.says);
      expect(['INCOMPLETE', 'FORGED']).toContain(report.verdict);
    });
  }

  it('nothing worse against it', () => {
    expectVerdict('INCOMPLETE', { bend: leftOut(record), check: 'payloads', says: /no statement of its task/ });
  });
});

it('an erasure after the export is not part of the case', () => {
  const bend = after('exported', (story) => tellErased(story, record(story)));
  expect(examine(makeCase(bend).file)).toMatchObject({ verdict: 'VERIFIED', reasons: [] });
});
