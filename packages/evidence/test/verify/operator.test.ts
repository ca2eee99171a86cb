import { describe, expect, it } from 'vitest';
import { proves } from '../../../../tests/promises.ts';
import { encodeActivation } from '../../src/activation.ts';
import { encodeCaseJson, parseCaseJson } from '../../src/case/case-json.ts';
import { fromUtf8, toBase64, toHex, utf8 } from '../../src/encoding.ts';
import { newId } from '../../src/ids.ts';
import { sha256 } from '../../src/platform.ts';
import { predicates } from '../../src/predicates.ts';
import { actors, newSigner, origin, signWord } from '../support/actors.ts';
import { after, all, at, type Expected, expectVerdict, inCall, inEvents, put, set, skip } from '../support/bends.ts';
import { examine, makeCase } from '../support/case-maker.ts';
import { digestOf, start } from '../support/props.ts';
import type { Story } from '../support/story.ts';

/**
 * An operator who holds the receipt, registrar, token and log keys, and neither the root's, the person's, the agent's nor the
 * witness's. What he writes is signed as it should be; only what the others signed gives him away.
 */
describe('an operator who has every key of the server is caught when he', () => {
  const taskId = newId('task', start);
  const forged: Readonly<Record<string, Expected>> = {
    'runs another tool than the one that the agent called with these arguments': {
      bend: inCall('write', (call) => {
        call.message = call.message.replace('write_file', 'read_file');
      }),
      check: 'authority',
      says: /signed another call/,
    },
    'leaves out token and proof of an approved action': {
      bend: set('push:intent', 'authority.evidence', null),
      check: 'authority',
      says: /neither token nor proof/,
    },
    'runs an action whose proof served a refusal before': {
      bend: {
        // The call to be written comes first as a refusal: same token, proof and message.
        draft(draft, story) {
          if (draft.step !== 'write:intent' || story.said.has('early:slipped-in')) return;
          refuse(story, 'early', { authority: { ...(draft.body.authority as object) } });
        },
      },
      check: 'authority',
      says: /its proof served/,
    },
    'uses a proof that the agent gave in another task': {
      bend: all(
        at('opened', (draft) => {
          draft.subject.name = `task:${taskId}`;
        }),
        {
          call(call) {
            call.token.task = taskId;
          },
        },
      ),
      check: 'authority',
      says: /another task/,
    },
    'cites the grant of another agent': {
      bend: all(
        after('grant', (story) => grant(story, 'other-grant', { agent: newId('agent', start), ceiling: 'approve' })),
        set('push:intent', 'authority', (story: Story) => ({
          pop: 'shim',
          evidence: story.evidence.get('push'),
          grant: story.digest('other-grant'),
          unearned: false,
        })),
      ),
      check: 'authority',
      says: /grant is for another agent/,
    },
    'cites a grant that was revoked meanwhile': {
      bend: after('read:outcome', (story) => grant(story, 'revocation', { verdict: 'REVOKED' })),
      check: 'authority',
      says: /not the one in force/,
    },
    'lets an agent act after it was revoked': {
      bend: after('read:outcome', (story) => revoke(story)),
      check: 'authority',
      says: /its agent was revoked/,
    },
    'puts an older policy into force again with the old word': {
      bend: after('policy', (story) => {
        activate(story, 'policy:2', 2, '2222');
        const first = story.log.entries.find(({ step }) => step === 'policy');
        const { predicate } = JSON.parse(new TextDecoder().decode(first?.envelope.payload));
        const { bundle, files, version, engine, person, activation } = predicate;
        story.record({
          step: 'policy:again',
          predicate: 'policy-activated',
          place: { series: 'policy' },
          subject: { name: 'policy:1', sha256: bundle },
          body: { bundle, files, version, engine, person, activation },
        });
      }),
      check: 'people',
      says: /version/,
    },
    'decides by a policy that another had replaced': {
      bend: after('opened', (story) => {
        activate(story, 'policy:2', 2, '2222');
        story.log.nowMs += 61_000;
      }),
      check: 'authority',
      says: /not by the policy in force/,
    },
    'calls a tool without a pinned definition': {
      bend: set('write:intent', 'tool.definition', null),
      check: 'actions',
      says: /without a definition/,
    },
    'ends an intent by the refusal of another action': {
      bend: all(
        skip('write:outcome'),
        after('write:intent', (story) => refuse(story, 'denied', { cites: story.digest('write:intent') })),
      ),
      check: 'actions',
      says: /another action/,
    },
    'begins an action that was refused': {
      bend: at('write:intent', (_, story) => {
        if (!story.said.has('early:slipped-in')) refuse(story, 'early', { action: story.actions.write });
      }),
      check: 'actions',
      says: /was refused before/,
    },
    'uses an approval that a refusal consumed': {
      bend: after('push:approval', (story) => refuse(story, 'denied', { approval: story.digest('push:approval') })),
      check: 'actions',
      says: /approval/,
    },
    'confirms two actions by one event': {
      bend: {
        after(recorded, story) {
          if (recorded.step !== 'confirmed') return;
          const entry = story.log.entries.find(({ step }) => step === 'confirmed');
          const { subject, predicate } = JSON.parse(new TextDecoder().decode(entry?.envelope.payload));
          const { action, outcome, events, how, key } = predicate;
          story.record({
            step: 'confirmed:again',
            predicate: 'confirmed',
            place: { task: story.task, chain: 'after' },
            subject: { name: subject[0].name, sha256: subject[0].digest.sha256 },
            observed: 'downstream-confirmed',
            body: { action, outcome, events, how, key },
          });
        },
      },
      check: 'events',
      says: /twice/,
    },
    'enrols his own receipt key as the agent': {
      bend: all(after('key:receipt', (story) => enrolPerson(story, 'double', actors.receipt))),
      check: 'keys',
      says: /one key/,
    },
    "enrols the agent's key as a person, so that it approves itself": {
      bend: after('agent', (story) => enrolPerson(story, 'double', actors.agent)),
      check: 'keys',
      says: /one key/,
    },
    'calls his own word the confirmation of the touched system': {
      bend: at('write:outcome', (draft) => {
        draft.observed = 'downstream-confirmed';
      }),
      check: 'statements',
      says: /observed/,
    },
    'runs above tier record what only the agent itself reports': {
      bend: at('push:intent', (draft) => {
        draft.observed = 'self-reported';
      }),
      check: 'actions',
      says: /self-reported/,
    },
    'says that a person rejected, without the word of one': {
      bend: set('denied:refusal', 'reason', 'rejected'),
      check: 'people',
      says: /no signed rejection/,
    },
    'names another subject than the statement is about': {
      bend: at('closed', (draft) => {
        draft.subject.name = `task:${taskId}`;
      }),
      check: 'statements',
      says: /subject/,
    },
    'files the batch of one source under another': {
      bend: set('ingested', 'source', 'other'),
      check: 'statements',
      says: /subject|series/,
    },
    'confirms by a record of another credential': {
      bend: inEvents((push) => ({ ...push, user: 'mallory' })),
      check: 'events',
      says: /credential/,
    },
    'takes a token that lives for days': {
      bend: inCall('write', (call) => {
        call.token.exp = Number(call.token.iat) + 86_400;
      }),
      check: 'authority',
      says: /lives too long/,
    },
    'takes a proof that lives for days': {
      bend: inCall('write', (call) => {
        call.proof.exp = Number(call.proof.iat) + 86_400;
      }),
      check: 'authority',
      says: /lives too long/,
    },
    'takes a proof from the future': {
      bend: inCall('write', (call) => {
        for (const claims of [call.proof, call.token]) {
          claims.iat = Number(claims.iat) + 900;
          claims.exp = Number(claims.exp) + 900;
        }
      }),
      check: 'authority',
      says: /made later/,
    },
    'takes a proof that was made after its token had ended': {
      bend: inCall('write', (call) => {
        call.token.iat = Number(call.token.iat) - 3000;
        call.token.exp = Number(call.token.exp) - 3000;
      }),
      check: 'authority',
      says: /outside the life of its token/,
    },
    'opens a task with other words than the agent was given': {
      bend: inCall('write', (call) => {
        call.token.obj = digestOf('the words that the agent was given');
      }),
      check: 'authority',
      says: /another objective/,
    },
    'exports a second task without saying how far its after goes': {
      bend: all(
        after('reconciled', (story) => secondTask(story, taskId)),
        set('exported', 'tasks', (story: Story) => [story.task, taskId]),
        {
          files(files, { task }) {
            const json = parseCaseJson(files.get('case.json') ?? utf8(''));
            files.set('case.json', encodeCaseJson({ ...json, tasks: [task, taskId] }));
          },
        },
      ),
      check: 'series',
      says: /no head of series tsk_.*after/,
    },
    'takes a token that names another agent': {
      bend: inCall('write', (call) => {
        call.token.act = { sub: 'spiffe://3f9a12c4.deed.local/agent/other' };
      }),
      check: 'authority',
      says: /another agent/,
    },
  };
  for (const [sentence, expected] of Object.entries(forged)) {
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
  const crafted: Readonly<Record<string, Parameters<typeof makeCase>[0]>> = {
    'whose principal is not JSON': set('opened', 'principal', (story: Story) => story.log.payload('{', 'text/plain')),
    'whose objective is not text': at('opened', (draft, story) => {
      const objective = story.log.payload(Uint8Array.of(0xff, 0xfe), 'text/plain');
      draft.body.objective = objective;
      draft.subject.sha256 = objective.sha256;
    }),
    'whose action record is null': at('write:intent', (draft, story) => {
      const record = story.log.payload('null', 'application/json');
      draft.body.record = record;
      draft.subject.sha256 = record.sha256;
    }),
    'whose refused record is no record': at('denied:refusal', (draft, story) => {
      const record = story.log.payload('[1]', 'application/json');
      draft.body.record = record;
      draft.subject.sha256 = record.sha256;
    }),
    'whose evidence is null': set('write:intent', 'authority.evidence', (story: Story) =>
      story.log.payload('null', 'application/json'),
    ),
    'whose log key is no key': set('key:log-1', 'key.vkey', 'nothing'),
    'whose agent has no key': set('agent', 'key.spki', 'AAAA'),
    'whose person has no key': set('person', 'key', { kind: 'sshsig', public: 'AAAA' }),
    'whose effects are a number': set('push:outcome', 'effects', (story: Story) =>
      story.log.payload('1', 'application/json'),
    ),
  };
  for (const [sentence, bend] of Object.entries(crafted)) {
    it(`${sentence} gets a verdict and does not make the verifier fail`, () => {
      proves('invariant-9');
      const report = examine(makeCase(bend).file);
      expect(report.code).not.toBe(1);
    });
  }
});

function refuse(story: Story, name: string, over: Record<string, unknown>): void {
  const action = String(over.action ?? newId('action', start));
  story.record({
    step: `${name}:slipped-in`,
    predicate: 'refusal',
    place: { task: story.task, chain: 'seq' },
    subject: { name: `action:${action}`, sha256: toHex(sha256(utf8(action))) },
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
      approval: null,
      rejection: null,
      ...over,
    },
  });
}

/** Another task, opened and closed, of which a gap is known. */
function secondTask(story: Story, task: string): void {
  const opened = JSON.parse(fromUtf8(story.said.get('opened')?.envelope.payload ?? utf8('{}')));
  const body = Object.fromEntries(
    Object.entries(opened.predicate).filter(([key]) => key in predicates['task-opened'].shape),
  );
  const subject = { name: `task:${task}`, sha256: opened.subject[0].digest.sha256 };
  const seqPlace = { task, chain: 'seq' } as const;
  story.record({ step: 'second:opened', predicate: 'task-opened', place: seqPlace, subject, body });
  const closing = { reason: 'operator', count: 2, outputs: [], open: [] };
  story.record({ step: 'second:closed', predicate: 'task-closed', place: seqPlace, subject, body: closing });
  const gap = { since: '2026-11-22T10:00:00.000Z', detail: 'the server did not end in order' };
  const place = { task, chain: 'after' } as const;
  story.record({ step: 'second:gap', predicate: 'observe-gap', place, subject, body: gap });
}

function grant(story: Story, step: string, over: Record<string, unknown>): void {
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

function revoke(story: Story): void {
  story.record({
    step: 'revoked',
    predicate: 'revoked',
    place: { series: 'agents' },
    subject: { name: `agent:${story.agent}`, sha256: actors.agent.keyid },
    body: { what: 'agent', id: story.agent, reason: 'its key leaked' },
  });
}

function enrolPerson(story: Story, step: string, signer = newSigner()): void {
  const person = newId('person', start);
  story.record({
    step,
    predicate: 'person-enrolled',
    place: { series: 'people' },
    subject: { name: `person:${person}`, sha256: toHex(sha256(signer.spki)) },
    body: { person, key: { kind: 'es256', public: toBase64(signer.spki) }, roles: ['approver'] },
    signer: actors.registrar,
  });
}

/** Another policy, activated as it should be. */
function activate(story: Story, step: string, version: number, text: string): void {
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
