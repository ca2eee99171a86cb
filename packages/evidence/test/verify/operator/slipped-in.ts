import { encodeActivation } from '../../../src/activation.ts';
import { fromUtf8, toHex, utf8 } from '../../../src/encoding.ts';
import { newId } from '../../../src/ids.ts';
import { sha256 } from '../../../src/platform.ts';
import { type PayloadRef, predicates } from '../../../src/predicates.ts';
import { actors, origin, signWord } from '../../support/actors.ts';
import { digestOf, start } from '../../support/props.ts';
import type { Story } from '../../support/story.ts';

export function refuse(story: Story, name: string, over: Record<string, unknown>): void {
  const action = String(over.action ?? newId('action', start));
  const { evidence } = (over.authority ?? {}) as { readonly evidence?: PayloadRef };
  story.record({
    step: `${name}:slipped-in`,
    predicate: 'refusal',
    place: { task: story.task, chain: 'seq' },
    subject: { name: `action:${action}`, sha256: evidence?.sha256 ?? toHex(sha256(utf8(action))) },
    observed: 'gateway-observed',
    body: {
      action,
      record: null,
      method: 'tools/call',
      tool: null,
      reason: 'cancelled',
      detail: 'the caller went away',
      authority: null,
      decision: null,
      cites: null,
      approvals: [],
      rejection: null,
      edit: null,
      ...over,
    },
  });
}

/** Another task, opened and closed, of which a gap is known. */
export function secondTask(story: Story, task: string): void {
  const opened = JSON.parse(fromUtf8(story.said.get('opened')?.envelope.payload ?? utf8('{}')));
  const body = Object.fromEntries(
    Object.entries(opened.predicate).filter(([key]) => key in predicates['task-opened'].shape),
  );
  const subject = { name: `task:${task}`, sha256: opened.subject[0].digest.sha256 };
  const seqPlace = { task, chain: 'seq' } as const;
  story.record({ step: 'second:opened', predicate: 'task-opened', place: seqPlace, subject, body });
  const closing = { reason: 'operator', count: 2, outputs: [], open: [], debts: [] };
  story.record({ step: 'second:closed', predicate: 'task-closed', place: seqPlace, subject, body: closing });
  const gap = { since: '2026-11-22T10:00:00.000Z', detail: 'the server did not end in order' };
  const place = { task, chain: 'after' } as const;
  story.record({ step: 'second:gap', predicate: 'observe-gap', place, subject, body: gap });
}

export function grant(story: Story, step: string, over: Record<string, unknown>): void {
  const id = newId('grant', start);
  story.record({
    step,
    predicate: 'grant-decision',
    place: { series: 'grants' },
    subject: { name: `grant:${id}`, sha256: digestOf(id) },
    body: {
      grant: id,
      verdict: 'GRANTED',
      agent: '*',
      capability: '*',
      grade: 'E3',
      ceiling: 'record',
      expires: '2026-12-22T10:00:00.000Z',
      reason: 'slipped in',
      ...over,
    },
  });
}

export function revoke(story: Story): void {
  story.record({
    step: 'revoked',
    predicate: 'revoked',
    place: { series: 'agents' },
    subject: { name: `agent:${story.agent}`, sha256: actors.agent.keyid },
    body: { what: 'agent', id: story.agent, reason: 'its key leaked' },
  });
}

/** Another policy, activated as it should be. */
export function activate(story: Story, step: string, version: number, text: string): void {
  const files = [{ path: 'calls.cedar', sha256: digestOf(text) }];
  const bundle = digestOf(JSON.stringify(files));
  const time = new Date(story.log.nowMs).toISOString();
  const word = encodeActivation({ origin, bundle, version, person: story.person, time });
  story.record({
    step,
    predicate: 'policy-activated',
    place: { series: 'policy' },
    subject: { name: `policy:${version}`, sha256: bundle },
    body: {
      bundle,
      files,
      version,
      engine: { name: 'cedar-wasm', version: '4.13.0', sha256: digestOf('the engine') },
      person: story.person,
      activation: signWord('deed-activation-v1', word, actors.person),
    },
  });
}
