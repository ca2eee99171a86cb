import { describe, expect, it } from 'vitest';
import { proves } from '../../../../tests/promises.ts';
import { openContainer } from '../../src/case/container.ts';
import { fromUtf8, utf8 } from '../../src/encoding.ts';
import type { PayloadRef } from '../../src/predicates.ts';
import type { LayerName } from '../../src/verify/report.ts';
import { verify } from '../../src/verify/verify.ts';
import { after, all, at, put, skip } from '../support/bends.ts';
import { examine, makeCase, pack, trustText } from '../support/case-maker.ts';
import { contracted, findingChanged } from '../support/contracts.ts';
import { spiffe } from '../support/props.ts';
import type { Bend, Story } from '../support/story.ts';
import { byWorkload } from '../support/workload.ts';
import { addGap, honest as honestBends } from './verify/honest.ts';

const honest = makeCase();
const report = examine(honest.file);
const actionOf = (name: string) => report.actions.find(({ action }) => action === honest.story.actions[name]);
const layer = (name: string, of: LayerName) => actionOf(name)?.layers[of].state;

describe('an honest case', () => {
  it('is VERIFIED offline, with nothing but the file and the trust file', () => {
    proves('verify-offline');
    expect(report).toMatchObject({ verdict: 'VERIFIED', code: 0, reasons: [] });
    expect(verify(honest.file, { trust: trustText, nowMs: Date.parse('2026-11-22T11:00:00Z') }).code).toBe(0);
    expect(report.checks.every(({ result }) => result === 'ok')).toBe(true);
    expect(report.witnesses.map(({ name }) => name)).toEqual(['notary']);
  });

  it('answers which agent, under what authority, against which resource, with what result', () => {
    expect(actionOf('push')).toMatchObject({
      end: 'ok',
      tier: 'approve',
      agent: spiffe,
      authority: expect.stringMatching(/policy allowed.*grant WAIVED E0, authority not earned; approved by per_/),
      resource: 'files/git_push site refs/heads/main 00000000..aaaaaaaa',
      result: expect.stringMatching(/^ok, .*confirmed by the system's own record/),
    });
    expect(actionOf('write')).toMatchObject({ end: 'ok', resource: 'files/write_file /srv/site/docs/index.md' });
    expect(actionOf('read')).toMatchObject({ end: 'ok', resource: 'files/read_file (digest only)' });
  });

  it('reports each refusal with its reason', () => {
    proves('invariant-8');
    expect(actionOf('denied')).toMatchObject({ end: 'refused', result: expect.stringMatching(/^refused: denied/) });
    expect(actionOf('replay')).toMatchObject({ end: 'refused', result: expect.stringMatching(/proof-replayed/) });
  });

  it('has the layers that each action really has', () => {
    proves('invariant-9', 'invariant-11');
    const states = (name: string) => Object.values(actionOf(name)?.layers ?? {}).map(({ state }) => state);
    const [yes, no, free] = ['present', 'missing', 'not-asked'];
    expect(states('push')).toEqual([yes, no, yes, yes, yes, yes, yes, yes]);
    expect(states('write')).toEqual([yes, yes, yes, free, yes, yes, yes, no]);
    expect(states('read')).toEqual([free, yes, free, free, free, yes, yes, no]);
    expect(states('denied')).toEqual([yes, yes, yes, free, yes, yes, yes, free]);
    expect(actionOf('push')?.layers.anchor.why).toMatch(/its intent before the outcome was written/);
    expect(report.actions.map(({ observed }) => observed)).toEqual(Array(5).fill('gateway-observed'));
  });

  it('misses what was not kept of an action above tier observe', () => {
    proves('invariant-9');
    const forget = (path: string) =>
      at('write:intent', (draft, { log }) => {
        const [outer = '', inner] = path.split('.');
        const ref = (inner ? (draft.body[outer] as Record<string, unknown>)[inner] : draft.body[outer]) as PayloadRef;
        log.files.delete(`payloads/${ref.sha256}`);
        put(draft.body, path, { ...ref, kept: false });
      });
    const bent = makeCase(all(...['record', 'authority.evidence', 'decision.inputs'].map(forget)));
    // The refused replay shows the same token and proof, and those were kept.
    const { actions } = examine(bent.file);
    const layers = actions.find(({ action }) => action === bent.story.actions.write)?.layers;
    expect([layers?.identity.state, layers?.decision.state, layers?.record.state]).toEqual(Array(3).fill('missing'));
  });

  it('tells the finding, and how far reconciliation looked', () => {
    expect(report.findings).toMatchObject([{ type: 'hidden_side_effect', severity: 'high' }]);
    expect(report.reconciled).toEqual([expect.stringMatching(/1 confirmed, 1 findings; looked at forge up to/)]);
  });

  it('matches again what a contract expects, with an id and without, and tells what became of a finding', () => {
    proves('invariant-9');
    const compared = { effects: [{ tools: ['*'], sources: ['files'], operations: ['written'] }] };
    const bends = [
      contracted(),
      contracted({ contract: compared, confirmed: () => ({ how: 'compared' }) }),
      findingChanged({}),
      findingChanged({
        word: { state: 'accepted', until: '2027-01-01T00:00:00.000Z' },
        body: { state: 'accepted', until: '2027-01-01T00:00:00.000Z' },
      }),
    ];
    const reports = bends.map((bend) => examine(makeCase(bend).file));
    expect(reports.map(({ verdict, reasons }) => [verdict, reasons])).toEqual(bends.map(() => ['VERIFIED', []]));
    const corroborated = reports.map(
      ({ actions }) => actions.filter(({ layers }) => layers.corroboration.state === 'present').length,
    );
    expect(corroborated).toEqual([1, 1, 1, 1]);
    expect(reports[0]?.actions[0]?.records).toEqual(['files: written docs/index.md']);
    expect(reports[2]?.actions[0]?.records).toEqual([expect.stringMatching(/^forge: push site refs\/heads\/main/)]);
    expect(reports.slice(2).map(({ findings }) => findings[0]?.state)).toEqual(['explained', 'accepted']);
  });

  it('says what the verdict does not: a second chain, a local witness, gaps, a missing log', () => {
    proves('invariant-9');
    expect(report.limits.join()).toMatch(/not that no second one exists/);
    const local = trustText.replaceAll('notary', 'local');
    expect(verify(honest.file, { trust: local, nowMs: Date.parse('2026-11-22T11:00:00Z') }).limits.join()).toMatch(
      /witness is local/,
    );
    const gap = examine(makeCase(after('reconciled', addGap)).file);
    expect(gap).toMatchObject({ code: 0 });
    expect(gap.limits.join()).toMatch(/Gap since/);
    const unjudged = examine(makeCase(skip('confirmed', 'finding', 'reconciled')).file);
    expect(unjudged).toMatchObject({ code: 0 });
    expect(unjudged.limits.join()).toMatch(/No other system's record.*2 records .* not judged/);
  });

  it('shows same-uid and unmeasured separation as a missing layer', () => {
    const near = at('write:intent', (draft) => {
      draft.separation = { agent: 'same-uid', tool: 'other-uid' };
    });
    const unknown = at('push:intent', (draft) => {
      draft.separation = { agent: 'none', tool: 'none' };
    });
    const bent = makeCase(all(near, unknown));
    const { actions, code } = examine(bent.file);
    expect(code).toBe(0);
    const states = ['write', 'push'].map(
      (name) => actions.find(({ action }) => action === bent.story.actions[name])?.layers.separation.state,
    );
    expect(states).toEqual(['missing', 'missing']);
    expect(layer('write', 'separation')).toBe('present');
  });
});

describe('what honest deployments also write is VERIFIED', () => {
  for (const [sentence, bend] of Object.entries(honestBends)) {
    it(sentence, () => {
      expect(examine(makeCase(bend).file)).toMatchObject({ verdict: 'VERIFIED', reasons: [] });
    });
  }

  it('a case without the workload token of its agent, named as withheld, and then the layer says so', () => {
    const evidence = (story: Story) =>
      JSON.parse(fromUtf8(story.said.get('agent')?.envelope.payload ?? utf8('{}'))).predicate.evidence.sha256;
    const identity = (bend: Bend) => examine(makeCase(bend).file).actions[0]?.layers.identity;
    expect(identity(byWorkload())).toMatchObject({
      state: 'present',
      why: expect.stringMatching(/by a workload token$/),
    });
    const withheld = all(byWorkload(), {
      files: (files, story) => void files.delete(`payloads/${evidence(story)}`),
      draft(draft, story) {
        if (draft.step !== 'exported') return;
        put(draft.body, 'left', [{ payload: evidence(story), how: 'withheld', reason: 'asked to' }]);
      },
    });
    expect(identity(withheld)?.why).toMatch(/token that it enrolled by is not in the case/);
    expect(examine(makeCase(withheld).file).verdict).toBe('VERIFIED');
  });

  it('a case whose container is opened and built again', () => {
    expect(examine(pack(openContainer(honest.file))).code).toBe(0);
  });

  it('a cosignature by a witness that nobody asked for, added to the checkpoint of the export', () => {
    const name = 'proofs/case-exported.tlog-proof';
    const proof = new TextDecoder().decode(honest.members.get(name));
    const line = proof.split('\n').findLast((text) => text.startsWith('— ')) ?? '';
    const stranger = line.replace(/^— [^ ]+ .{8}/, '— example.org/other AAAAAAAA');
    const files = new Map(honest.members).set(name, utf8(`${proof}${stranger}\n`));
    expect(examine(pack(files))).toMatchObject({ code: 0 });
  });
});
