import { describe, expect, it } from 'vitest';
import { proves } from '../../../../tests/promises.ts';
import { newId } from '../../src/ids.ts';
import { actors } from '../support/actors.ts';
import { after, all, type Expected, expectVerdict, set } from '../support/bends.ts';
import { examine, makeCase } from '../support/case-maker.ts';
import { leftOut, tellErased, tellExported, tellHold, wholeTask, why } from '../support/erasure.ts';
import { digestOf, start } from '../support/props.ts';
import type { Bend, Story } from '../support/story.ts';

const hold = newId('hold', start);
const record = (story: Story) => [story.records.get('push')?.sha256 ?? ''];
/** Names are fixed when the erasure is told, before the case loses its members. */
function erasing(tell: (story: Story, names: readonly string[]) => void, names = wholeTask): Bend {
  let chosen: readonly string[] = [];
  return all(
    after('reconciled', (story) => {
      chosen = names(story);
      tell(story, chosen);
    }),
    leftOut(() => chosen),
  );
}
const whole: Bend = erasing((story, names) => tellErased(story, names, { body: { scope: 'task' } }));

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

const other = newId('task', start + 1);
const forged: Readonly<Record<string, Expected>> = {
  'a payload that is here although it was erased': {
    bend: after('reconciled', (story) => tellErased(story, record(story))),
    check: 'erasures',
    says: /is here all the same/,
  },
  'an event that is here although it was erased': {
    bend: after('reconciled', (story) =>
      tellErased(
        story,
        wholeTask(story).filter((name) => isEvent(story, name)),
      ),
    ),
    check: 'erasures',
    says: /events\/.* is here all the same/,
  },
  'a payload that is called left out and is here': {
    bend: set('exported', 'left', (story: Story) => [{ payload: record(story)[0], how: 'withheld', reason: 'so' }]),
    check: 'erasures',
    says: /is called withheld, and is here/,
  },
  'an erased payload that is called withheld': {
    bend: all(
      after('reconciled', (story) => tellErased(story, record(story))),
      leftOut(record, 'withheld'),
    ),
    check: 'erasures',
    says: /although it was erased/,
  },
  'an erasure before its task was closed': {
    bend: all(
      after('replay:refusal', (story) => tellErased(story, record(story))),
      leftOut(record),
    ),
    check: 'erasures',
    says: /its task was open/,
  },
  'an erasure under a hold': {
    bend: erasing((story, names) => {
      tellHold(story, 'placed', hold);
      tellErased(story, names);
      tellHold(story, 'released', hold);
    }),
    check: 'erasures',
    says: /was in force/,
  },
  'an erasure under the second of two holds': {
    bend: erasing((story, names) => {
      tellHold(story, 'placed', hold);
      tellHold(story, 'placed', newId('hold', start));
      tellHold(story, 'released', hold);
      tellErased(story, names);
    }),
    check: 'erasures',
    says: /was in force/,
  },
  'an erasure by somebody who is no operator': {
    bend: all(whole, set('person', 'roles', ['approver'])),
    check: 'erasures',
    says: /is no operator/,
  },
  'an erasure by somebody who was never enrolled': {
    bend: erasing((story, names) =>
      tellErased(story, names, { body: { by: { kind: 'person', person: newId('person', start) } } }),
    ),
    check: 'erasures',
    says: /is not enrolled/,
  },
  'an erasure that hides a case which holds copies': {
    bend: erasing((story, names) => {
      tellExported(story);
      tellErased(story, names);
    }),
    check: 'erasures',
    says: /names other exported cases/,
  },
  'an erasure that names a case which holds none': {
    bend: erasing((story, names) => tellErased(story, names, { body: { copies: [newId('case', start)] } })),
    check: 'erasures',
    says: /names other exported cases/,
  },
  'retention before its time': {
    bend: erasing((story, names) =>
      tellErased(story, names, { body: { by: { kind: 'retention', tier: 'approve', days: 1 } } }),
    ),
    check: 'erasures',
    says: /had not passed/,
  },
  'retention by the rule of a lower tier': {
    bend: erasing((story, names) => {
      story.log.nowMs += 86_400_000;
      tellErased(story, names, { body: { by: { kind: 'retention', tier: 'record', days: 1 } } });
    }),
    check: 'erasures',
    says: /is not that of its actions/,
  },
  'an erasure whose subject lists other payloads': {
    bend: erasing((story, names) =>
      tellErased(story, names, { subject: { name: `task:${story.task}`, sha256: '0'.repeat(64) } }),
    ),
    check: 'statements',
    says: /not what it is about/,
  },
  'an erasure signed by the registrar': {
    bend: erasing((story, names) => tellErased(story, names, { signer: actors.registrar })),
    check: 'signatures',
    says: /must be receipt/,
  },
  'an erasure of another task': {
    bend: erasing((story, names) => tellErased(story, names, { place: { task: other, chain: 'after' } })),
    check: 'closing',
    says: /not of this case/,
  },
  'a hold that somebody else signed': {
    bend: after('reconciled', (story) => tellHold(story, 'placed', hold, { signer: actors.stranger })),
    check: 'erasures',
    says: /not the person's/,
  },
  'a hold over another task': {
    bend: after('reconciled', (story) => tellHold(story, 'placed', hold, { word: { task: other } })),
    check: 'erasures',
    says: /about another task/,
  },
  'a hold of another deployment': {
    bend: after('reconciled', (story) => tellHold(story, 'placed', hold, { word: { origin: 'other.example/log' } })),
    check: 'erasures',
    says: /about another task/,
  },
  'a release by the word that placed it': {
    bend: after('reconciled', (story) => {
      tellHold(story, 'placed', hold);
      tellHold(story, 'released', hold, { word: { act: 'placed' } });
    }),
    check: 'erasures',
    says: /says the contrary/,
  },
  'a release of a hold that was never placed': {
    bend: after('reconciled', (story) => tellHold(story, 'released', hold)),
    check: 'erasures',
    says: /not in force/,
  },
  'a hold that is placed again by its old word': {
    bend: after('reconciled', (story) => {
      tellHold(story, 'placed', hold);
      tellHold(story, 'released', hold);
      tellHold(story, 'placed', hold);
    }),
    check: 'erasures',
    says: /placed before/,
  },
  'a hold for another reason than was signed': {
    bend: after('reconciled', (story) => tellHold(story, 'placed', hold, { body: { reason: 'none' } })),
    check: 'erasures',
    says: /for another reason/,
  },
};

describe('a case is FORGED when it has', () => {
  for (const [sentence, expected] of Object.entries(forged)) {
    it(sentence, () => {
      expectVerdict('FORGED', expected);
    });
  }
});

describe('a case is INCOMPLETE when it calls erased', () => {
  const incomplete: Readonly<Record<string, Expected>> = {
    'a payload that no statement erased': {
      bend: leftOut(record),
      check: 'payloads',
      says: /no statement of its task erased it/,
    },
    'a payload, and another was erased': {
      bend: all(
        erasing(
          (story, names) => tellErased(story, names),
          (story) => [story.records.get('write')?.sha256 ?? ''],
        ),
        withAlso(record),
      ),
      check: 'payloads',
      says: /no statement of its task erased it/,
    },
    'a payload that only the deployment’s series erased': {
      bend: all(
        after('reconciled', (story) =>
          tellErased(story, record(story), {
            place: { series: 'deployment' },
            subject: { name: `deployment:deed.local/3f9a12c4`, sha256: digestOf(JSON.stringify(record(story))) },
          }),
        ),
        leftOut(record),
      ),
      check: 'payloads',
      says: /no statement of its task erased it/,
    },
    'an event that no statement erased': {
      bend: leftOut((story) => wholeTask(story).filter((name) => isEvent(story, name))),
      check: 'events',
      says: /is not here/,
    },
  };
  for (const [sentence, expected] of Object.entries(incomplete)) {
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

function isEvent({ log }: Story, name: string): boolean {
  return [...log.files.keys()].some((member) => member.startsWith('events/') && member.endsWith(`/${name}`));
}

function withAlso(names: (story: Story) => readonly string[]): Bend {
  return {
    files(files, story) {
      for (const name of names(story)) files.delete(`payloads/${name}`);
    },
    draft(draft, story) {
      if (draft.step !== 'exported') return;
      const left = draft.body.left as object[];
      draft.body.left = [...left, ...names(story).map((payload) => ({ payload, how: 'erased', reason: why }))];
    },
  };
}
