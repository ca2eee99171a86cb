import { batchLeaves, batchRoot } from '../../src/case/batch-tree.ts';
import { encodeBatchJson } from '../../src/case/case-json.ts';
import { members } from '../../src/case/members.ts';
import { blindCredential } from '../../src/credential.ts';
import { toHex, utf8 } from '../../src/encoding.ts';
import { newId } from '../../src/ids.ts';
import { randomBytes, sha256 } from '../../src/platform.ts';
import { commit, digestOf, start, zero } from './props.ts';
import type { ForgePush, Story } from './story.ts';

/** What the forge recorded, and what it confirms and does not explain. */
export function tellReconciliation(story: Story): void {
  const { log } = story;
  const push = (user: string, to: string) =>
    eventOf(story, { time: story.time(), requestId: `req-${to.slice(0, 1)}`, user, repository: 'site', to });
  const own = [push(story.credential, commit('a')), push(story.credential, commit('b'))];
  const blind = randomBytes(16);
  const foreign = { credential: blindCredential(blind, 'mallory'), events: [push('mallory', commit('c')).name] };
  const group = { credential: story.blinded, events: own.map(({ name }) => name) };
  const leaves = batchLeaves([group, foreign]);
  const batch = story.record({
    step: 'ingested',
    predicate: 'events-ingested',
    place: { series: 'source:forge' },
    subject: { name: 'source:forge', sha256: batchRoot(leaves) },
    observed: 'gateway-observed',
    body: {
      source: 'forge',
      reader: { name: 'git-forge', version: '1' },
      batch: { root: batchRoot(leaves), credentials: leaves.length, events: 3 },
      position: { from: digestOf('from'), to: digestOf('to') },
      watermark: story.time(),
      coverage: ['pushes of every repository'],
      problems: [],
    },
  });
  const disclosed = [{ ...group, id: story.credential, blind: toHex(story.blind) }];
  log.files.set(members.batch(batch.digest), encodeBatchJson({ v: 1, leaves, disclosed }));
  for (const { name, object } of own) log.files.set(members.event(batch.digest, name), object);
  const ref = (i: number) => ({ source: 'forge', batch: batch.digest, event: own[i]?.name ?? '' });
  const after = { task: story.task, chain: 'after' } as const;
  const observed = 'downstream-confirmed' as const;
  story.record({
    step: 'confirmed',
    predicate: 'confirmed',
    place: after,
    subject: { name: `action:${story.actions.push}`, sha256: story.digest('push:outcome') },
    observed,
    body: {
      action: story.actions.push,
      outcome: story.digest('push:outcome'),
      events: [ref(0)],
      how: 'exact',
      key: ['repository', 'ref', 'old', 'new'],
    },
  });
  const finding = newId('finding', start);
  story.record({
    step: 'finding',
    predicate: 'finding',
    place: after,
    subject: { name: `finding:${finding}`, sha256: own[1]?.name ?? '' },
    observed,
    body: {
      finding,
      type: 'hidden_side_effect',
      severity: 'high',
      why: 'the forge recorded a push with the credential of this task, and no receipt explains it',
      todo: 'Compare the update with the task, and undo it if it was not wanted.',
      statements: [story.digest('opened')],
      events: [ref(1)],
      credential: story.blinded,
    },
  });
  story.record({
    step: 'reconciled',
    predicate: 'reconciled',
    place: after,
    subject: { name: `task:${story.task}`, sha256: story.digest('opened') },
    observed,
    body: {
      rules: 'git-1',
      sources: [
        {
          source: 'forge',
          head: batch.digest,
          watermark: story.time(),
          coverage: ['pushes of every repository'],
          problems: [],
        },
      ],
      confirmed: 1,
      pending: 0,
      findings: [{ finding, type: 'hidden_side_effect' }],
    },
  });
}

function eventOf(story: Story, push: ForgePush) {
  const { to, ...rest } = story.bend.event?.(push) ?? push;
  const old = to === commit('a') ? zero : commit('a');
  const raw = utf8(JSON.stringify({ ...rest, ref: 'refs/heads/main', old, new: to }));
  const object = new Uint8Array([...randomBytes(16), ...raw]);
  return { name: toHex(sha256(object)), object };
}
