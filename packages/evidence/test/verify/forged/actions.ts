import { newId } from '../../../src/ids.ts';
import { actors, newNoteSigner, origin } from '../../support/actors.ts';
import { acted, observedAs } from '../../support/api.ts';
import { after, all, at, type BentCases, inCall, inHeader, set } from '../../support/bends.ts';
import { told } from '../../support/hooks.ts';
import { bodyOf, confirmed, prompted, tellConfirmed } from '../../support/prompts.ts';
import { digestOf, start } from '../../support/props.ts';
import type { Story } from '../../support/story.ts';

export const actions: BentCases = {
  'an outcome that a hook told of another call': {
    bend: told({ tool_use_id: 'toolu_2' }),
    check: 'actions',
    says: /what a hook told of another call/,
  },
  'an outcome that a hook told of other arguments': {
    bend: told({ tool_input: { path: 'docs/index.md', content: 'broken' } }),
    check: 'actions',
    says: /another call ran than was decided/,
  },
  'an outcome that a hook told of another tool': {
    bend: told({ tool_name: 'delete_file' }),
    check: 'actions',
    says: /another call ran than was decided/,
  },
  'an outcome that the agent told of another action': {
    bend: acted({ action: newId('action', start) }),
    check: 'actions',
    says: /what the agent told is of another action/,
  },
  'an outcome that is another than the agent told': {
    bend: acted({ status: 'error' }),
    check: 'actions',
    says: /the agent told another status/,
  },
  'a request for leave to act in the place of what the agent told': {
    bend: acted({ request: 'act' }),
    check: 'actions',
    says: /what the agent told is of another action/,
  },
  'an outcome of a call by the agent itself that nobody told': {
    bend: all(acted(), set('write:outcome', 'result', null)),
    check: 'actions',
    says: /nothing shows what the agent told of it/,
  },
  'what somebody else than the agent told': {
    bend: all(
      acted(),
      inCall('write:told', (call) => {
        call.proofSigner = actors.stranger;
      }),
    ),
    check: 'actions',
    says: /proof is not by the agent's key/,
  },
  'what the agent told of a call that the gateway saw': {
    bend: all(
      acted(),
      observedAs('gateway-observed'),
      inCall('write', (call) => {
        call.message = '';
      }),
    ),
    check: 'actions',
    says: /the agent told of what others dispatched/,
  },
  'an outcome that somebody else observed than the one who dispatched it': {
    bend: inHeader('write:outcome', 'observed', 'gateway-executed'),
    check: 'actions',
    says: /another than the one who dispatched it observed it/,
  },
  'a prompt of which no call is named, and one that fits': {
    bend: prompted({ call: null }),
    check: 'actions',
    says: /names no call, or one where several fit/,
  },
  'a prompt without its exchange': {
    bend: prompted({ exchange: null }),
    check: 'actions',
    says: /the prompt names no exchange/,
  },
  'a prompt that the client says is another': {
    bend: prompted({ meta: { 'claudecode/toolUseId': 'toolu_2' } }),
    check: 'actions',
    says: /has another id of its call/,
  },
  'a prompt that is called inferred although the client says which': {
    bend: prompted({ link: 'inferred', meta: { callId: 'toolu_1' } }),
    check: 'actions',
    says: /has another id of its call/,
  },
  'a prompt that was answered later': {
    bend: prompted({ endedMs: 60_000 }),
    check: 'actions',
    says: /the exchange ended after the intent/,
  },
  'a prompt that asked for another call': {
    bend: prompted({ asked: [['toolu_1', 'write_file', { path: 'docs/index.md', content: 'other' }]] }),
    check: 'actions',
    says: /asks for another call/,
  },
  'a prompt that asked for a call of another id': {
    bend: prompted({ asked: [['toolu_9', 'write_file', { path: 'docs/index.md', content: 'mended' }]] }),
    check: 'actions',
    says: /asks for no call of this id/,
  },
  'a prompt that is called altered and asked for this very call': {
    bend: prompted({ link: 'altered' }),
    check: 'actions',
    says: /asks for this call/,
  },
  'a prompt that is called ambiguous and is not': {
    bend: prompted({ link: 'ambiguous', call: null }),
    check: 'actions',
    says: /does not ask for this call more than once/,
  },
  'a prompt whose pieces are not what passed': {
    bend: prompted({
      bend: (record, story) => {
        if (record.response) record.response.body.pieces = bodyOf(story, '{"type":"message","content":[]}').pieces;
      },
    }),
    check: 'actions',
    says: /its pieces are not what passed/,
  },
  'a prompt that is confirmed and was known': {
    bend: all(prompted(), confirmed()),
    check: 'actions',
    says: /confirms a prompt that is known, or none/,
  },
  'a prompt that is confirmed as another call than it names': {
    bend: all(prompted({ link: 'inferred' }), confirmed({ call: 'toolu_2', told: ['toolu_2', 'written'] })),
    check: 'actions',
    says: /confirms a prompt that is known, or none/,
  },
  'a prompt of several calls that is confirmed as one that the model did not ask for': {
    bend: all(
      prompted({
        link: 'ambiguous',
        call: null,
        asked: [1, 2].map((n) => [`toolu_${n}`, 'write_file', { content: 'mended', path: 'docs/index.md' }] as const),
      }),
      confirmed({ call: 'toolu_3', told: ['toolu_3', 'written'] }),
    ),
    check: 'actions',
    says: /asks for no such call of this id/,
  },
  'a prompt that is confirmed by the result of another call': {
    bend: all(prompted({ link: 'inferred' }), confirmed({ told: ['toolu_2', 'written'] })),
    check: 'actions',
    says: /does not tell the model of this result/,
  },
  'a prompt that is confirmed by another result': {
    bend: all(prompted({ link: 'inferred' }), confirmed({ told: ['toolu_1', 'refused'] })),
    check: 'actions',
    says: /does not tell the model of this result/,
  },
  'a prompt that is confirmed by a turn from before its outcome': {
    bend: all(prompted({ link: 'inferred' }), confirmed({ beganMs: -60_000 })),
    check: 'actions',
    says: /the turn began before the outcome/,
  },
  'a prompt that is confirmed twice': {
    bend: all(
      prompted({ link: 'inferred' }),
      confirmed(),
      after('write:outcome', (story) =>
        tellConfirmed(story, { call: 'toolu_1', told: ['toolu_1', 'written'], beganMs: 0, body: {} }),
      ),
    ),
    check: 'actions',
    says: /was confirmed before/,
  },
  'a prompt that is confirmed of another action': {
    bend: all(prompted({ link: 'inferred' }), confirmed({ body: { action: newId('action', start) } })),
    check: 'actions',
    says: /confirms another action/,
  },
  'a prompt to something that is no model': {
    bend: prompted({
      bend: (record) => {
        record.target = '/v1/files';
      },
    }),
    check: 'actions',
    says: /the exchange is none with a model/,
  },
  'a second intent with one approval': {
    bend: after('push:outcome', (story) => again(story, { approvals: [story.digest('push:approval')] })),
    check: 'actions',
    says: /approval was used before|approval is for another action/,
  },
  'one action begun twice': {
    bend: after('push:outcome', (story) => again(story, {})),
    check: 'actions',
    says: /was begun before/,
  },
  'an approve action without an approval': {
    bend: set('push:intent', 'approvals', []),
    check: 'actions',
    says: /without an approval/,
  },
  'the approval of another action': {
    bend: at('push:approval', (draft, story) => {
      draft.body.action = story.actions.write;
      draft.subject.name = `action:${story.actions.write}`;
    }),
    check: 'actions',
    says: /approval is for another action/,
  },
  'a record of another action': {
    bend: at('write:intent', (draft) => {
      draft.body.action = newId('action', start);
      draft.subject.name = `action:${draft.body.action}`;
    }),
    check: 'actions',
    says: /record is of another action/,
  },
  'a record of another tool': {
    bend: set('write:intent', 'tool.server', 'other'),
    check: 'actions',
    says: /record names another tool/,
  },
  'a tool that is not as it was pinned': {
    bend: set('pin:write_file', 'executable', digestOf('another program')),
    check: 'actions',
    says: /not as it was pinned/,
  },
  'an intent above the ceiling of its task': {
    bend: set('opened', 'ceiling', 'record'),
    check: 'actions',
    says: /above the ceiling of its task/,
  },
  'an intent beyond the budget of its task': {
    bend: set('opened', 'budget', { actions: 2 }),
    check: 'actions',
    says: /beyond the budget/,
  },
  'an intent after the deadline of its task': {
    bend: set('opened', 'deadline', '2026-11-22T10:00:16.000Z'),
    check: 'actions',
    says: /after the deadline/,
  },
  'a second outcome': {
    bend: after('write:outcome', (story) => outcome(story, 'write', {})),
    check: 'actions',
    says: /a second outcome/,
  },
  'an intent that was refused and yet has an outcome': {
    bend: set('denied:refusal', 'cites', (story: Story) => story.digest('write:intent')),
    check: 'actions',
    says: /refused, and yet it has an outcome/,
  },
  'an outcome of another action': {
    bend: at('write:outcome', (draft, story) => {
      draft.body.action = story.actions.read;
      draft.subject.name = `action:${story.actions.read}`;
    }),
    check: 'actions',
    says: /of another action/,
  },
  'an anchor that does not cover its intent': {
    bend: all(
      { anchor: (story) => ({ size: (story.said.get('push:intent')?.index ?? 0) - 1 }) },
      {
        files(files, { log, said }) {
          const index = said.get('push:intent')?.index ?? 0;
          const other = log.proof(index - 2, log.checkpoint(index - 1));
          files.set(`proofs/${String(index).padStart(12, '0')}-anchor.tlog-proof`, other);
        },
      },
    ),
    check: 'actions',
    says: /does not cover its intent/,
  },
  'an anchor that was made after the outcome': {
    bend: {
      files(files, { log, said }) {
        const index = said.get('push:intent')?.index ?? 0;
        files.set(`proofs/${String(index).padStart(12, '0')}-anchor.tlog-proof`, log.proof(index, log.checkpoint()));
      },
    },
    check: 'actions',
    says: /another checkpoint/,
  },
  'another root than the anchor’s': {
    bend: set('push:outcome', 'anchor.root', digestOf('another root')),
    check: 'actions',
    says: /another checkpoint/,
  },
  'another note than the anchor’s': {
    bend: set('push:outcome', 'anchor.note', digestOf('another note')),
    check: 'actions',
    says: /another note/,
  },
  'an anchor that a second outcome names for itself': {
    bend: after('push:outcome', (story) => {
      const first = story.said.get('push:outcome');
      const { anchor } = JSON.parse(new TextDecoder().decode(first?.envelope.payload)).predicate;
      const another = { ...anchor, root: digestOf('another root') };
      outcome(story, 'push', { anchor: another, supersedes: story.digest('push:outcome') });
    }),
    check: 'actions',
    says: /another checkpoint/,
  },
  'an anchor without the log’s signature': {
    bend: { anchor: () => ({ signers: [newNoteSigner(origin, 1), actors.witness] }) },
    check: 'actions',
    says: /not signed by the log's keys/,
  },
};

/** Another intent like that of the push. */
function again(story: Story, over: Record<string, unknown>): void {
  const first = story.said.get('push:intent');
  const { predicate } = JSON.parse(new TextDecoder().decode(first?.envelope.payload));
  const { action, record, tier, method, tool, authority, decision, approvals } = predicate;
  const body = { action, record, tier, method, tool, authority, decision, approvals, ...over };
  story.record({
    step: 'push:again',
    predicate: 'intent',
    place: { task: story.task, chain: 'seq' },
    subject: { name: `action:${action}`, sha256: record.sha256 },
    observed: 'gateway-observed',
    body,
  });
}

function outcome(story: Story, name: string, over: Record<string, unknown>): void {
  story.record({
    step: `${name}:slipped-in`,
    predicate: 'outcome',
    place: { task: story.task, chain: 'seq' },
    subject: { name: `action:${story.actions[name]}`, sha256: story.records.get(name)?.sha256 ?? '' },
    observed: 'gateway-observed',
    body: {
      action: story.actions[name],
      intent: story.digest(`${name}:intent`),
      status: 'ok',
      result: null,
      effects: null,
      anchor: null,
      supersedes: null,
      ...over,
    },
  });
}
