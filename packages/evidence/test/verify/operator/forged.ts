import { encodeCaseJson, parseCaseJson } from '../../../src/case/case-json.ts';
import { utf8 } from '../../../src/encoding.ts';
import { newId } from '../../../src/ids.ts';
import { actors } from '../../support/actors.ts';
import { after, all, at, type BentCases, inCall, inEvents, set, skip } from '../../support/bends.ts';
import { tellPerson } from '../../support/people.ts';
import { digestOf, start } from '../../support/props.ts';
import type { Story } from '../../support/story.ts';
import { activate, grant, refuse, revoke, secondTask } from './slipped-in.ts';

const taskId = newId('task', start);

export const operators: BentCases = {
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
        chain: [],
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
    bend: after('push:approval', (story) => refuse(story, 'denied', { approvals: [story.digest('push:approval')] })),
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
    bend: after('agent', (story) => void tellPerson(story, 'double', { roles: ['approver'], signer: actors.receipt })),
    check: 'keys',
    says: /one key/,
  },
  "enrols the agent's key as a person, so that it approves itself": {
    bend: after('agent', (story) => void tellPerson(story, 'double', { roles: ['approver'], signer: actors.agent })),
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
