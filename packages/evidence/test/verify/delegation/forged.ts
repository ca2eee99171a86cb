import { encodeHop, type HopWord, parseHop } from '../../../src/hop.ts';
import { newId } from '../../../src/ids.ts';
import { actors, newSigner } from '../../support/actors.ts';
import { after, all, type BentCases, inCall, inWord, set, skip } from '../../support/bends.ts';
import {
  type Delegate,
  passOn,
  type Terms,
  tellAccepted,
  tellEnded,
  tellHop,
  tellRevoked,
  termsOf,
} from '../../support/delegation.ts';
import { digestOf, start } from '../../support/props.ts';
import type { Bend, Story } from '../../support/story.ts';
import { told } from './honest.ts';

const stranger = newSigner();

/** What one delegate gets, signed and accepted as it is. */
function given(to: Delegate, wider: Partial<Terms>): Bend {
  return all(told, { terms: (delegate, terms) => (delegate === to ? { ...terms, ...wider } : terms) });
}

/** What a delegator signs, in some of it another thing than the statement says. */
function said(step: string, change: (word: HopWord, story: Story) => Partial<HopWord>): Bend {
  return all(
    told,
    inWord(step, (draft, story) => {
      const word = parseHop(draft.bytes);
      draft.bytes = encodeHop({ ...word, ...change(word, story) });
    }),
  );
}

const widened: BentCases = {
  'a hop that allows another folder': {
    bend: given('sub', { allow: [{ server: 'files', tools: ['write_file'], paths: { under: ['/srv/site'] } }] }),
    check: 'delegation',
    says: /allows what its delegator may not/,
  },
  'a hop that allows a folder whose name only begins alike': {
    bend: given('sub', { allow: [{ server: 'files', paths: { under: ['/srv/site/docs-private'] } }] }),
    check: 'delegation',
    says: /allows what its delegator may not/,
  },
  'a hop that allows each tool where its delegator has a list': {
    bend: all(told, {
      terms: (delegate, terms) =>
        delegate === 'worker'
          ? { ...terms, allow: [{ server: 'files', tools: ['write_file'], paths: { under: ['/srv/site'] } }] }
          : { ...terms, allow: [{ server: 'files', paths: { under: ['/srv/site'] } }] },
    }),
    check: 'delegation',
    says: /allows what its delegator may not/,
  },
  'a hop that lasts longer than what its delegator holds': {
    bend: given('sub', { deadline: '2026-11-22T14:00:00.001Z' }),
    check: 'delegation',
    says: /lasts longer/,
  },
  'a hop that lasts longer than its task': {
    bend: given('worker', { deadline: '2026-11-22T18:00:00.001Z' }),
    check: 'delegation',
    says: /lasts longer/,
  },
  'a hop that goes as deep as its delegator may': {
    bend: given('sub', { depth: 1 }),
    check: 'delegation',
    says: /goes deeper/,
  },
  'a hop in a task that is not passed on': {
    bend: all(told, set('opened', 'depth', 0)),
    check: 'delegation',
    says: /goes deeper/,
  },
  'a hop with a higher ceiling': {
    bend: given('sub', { ceiling: 'attest' }),
    check: 'delegation',
    says: /ceiling is above/,
  },
  'a hop of more actions than its delegator has left': {
    bend: given('sub', { actions: 10 }),
    check: 'delegation',
    says: /passes on 10 actions, and 9 are left/,
  },
};

const spliced: BentCases = {
  'a hop whose word is for another task': {
    bend: said('hop:sub', () => ({ task: newId('task', start) })),
    check: 'delegation',
    says: /for another task/,
  },
  'a hop whose word is for another deployment': {
    bend: said('hop:sub', () => ({ origin: 'example.org/log' })),
    check: 'delegation',
    says: /for another task/,
  },
  'a hop under a token of another task': {
    bend: all(
      told,
      inCall('hop:sub', (call) => {
        call.token.task = newId('task', start);
      }),
    ),
    check: 'delegation',
    says: /token is for another task/,
  },
  'a hop whose word names another token': {
    bend: said('hop:sub', () => ({ token: digestOf('the token of another task') })),
    check: 'delegation',
    says: /names another token/,
  },
  'a hop that hangs on a hop of another task': {
    bend: all(told, set('hop:sub', 'parent', digestOf('an acceptance elsewhere'))),
    check: 'delegation',
    says: /nobody accepted a hop/,
  },
  'a hop of the worker that claims to hang on the task itself': {
    bend: all(
      set('hop:sub', 'parent', null),
      said('hop:sub', () => ({ parent: null })),
    ),
    check: 'delegation',
    says: /not the one who holds/,
  },
  'a hop whose allowed actions are not those that were signed': {
    bend: said('hop:sub', () => ({ allow: digestOf('other actions') })),
    check: 'delegation',
    says: /its word says something else/,
  },
  'a hop whose proof serves an action too': {
    bend: all(
      told,
      inCall('worker', (call) => {
        call.proof.jti = 'A'.repeat(22);
      }),
      inCall('hop:sub', (call) => {
        call.proof.jti = 'A'.repeat(22);
      }),
    ),
    check: 'authority',
    says: /its proof served/,
  },
  'a hop whose proof is over another message': {
    bend: all(
      told,
      inCall('hop:sub', (call) => {
        call.message = '{"jsonrpc":"2.0"}';
      }),
    ),
    check: 'delegation',
    says: /over another message/,
  },
};

const framed: BentCases = {
  'an act by a hop that nobody accepted': {
    bend: all(told, skip('accept:sub')),
    check: 'authority',
    says: /nobody accepted a hop/,
  },
  'an acceptance with another key': {
    bend: all(
      told,
      inWord('accept:sub', (draft) => {
        draft.signer = stranger;
      }),
    ),
    check: 'delegation',
    says: /not signed with the delegate's key/,
  },
  'an acceptance by the delegator': {
    bend: all(
      told,
      inWord('accept:worker', (draft) => {
        draft.signer = actors.agent;
      }),
    ),
    check: 'delegation',
    says: /not signed with the delegate's key/,
  },
  'a hop signed with another key than the delegator’s': {
    bend: all(
      told,
      inWord('hop:worker', (draft) => {
        draft.signer = stranger;
      }),
    ),
    check: 'delegation',
    says: /not signed with the delegator's key/,
  },
  'an acceptance of another hop': {
    bend: all(
      told,
      after('hop:sub', (story) => {
        const worker = story.holders.get('worker');
        if (!worker) return;
        const hop = tellHop(story, 'sub', worker, { ...termsOf.sub, actions: 1 }, 'other');
        tellAccepted(story, 'sub', worker, hop, 'other');
      }),
      set('accept:sub', 'word', (story: Story) => wordOf(story, 'accept:other')),
    ),
    check: 'delegation',
    says: /accepts another hop/,
  },
  'a hop that is accepted twice': {
    bend: all(
      told,
      after('accept:sub', (story) => {
        const worker = story.holders.get('worker');
        if (worker) tellAccepted(story, 'sub', worker, story.digest('hop:sub'), 'sub again');
      }),
    ),
    check: 'delegation',
    says: /accepted before/,
  },
  'an acceptance that comes too late': {
    bend: all(
      told,
      after('hop:sub', (story) => {
        story.log.nowMs += 601_000;
      }),
    ),
    check: 'delegation',
    says: /comes too late/,
  },
  'an acceptance under a grant that was not in force for the delegate': {
    bend: all(
      told,
      after('hop:sub', (story) => {
        story.record({
          step: 'denied',
          predicate: 'grant-decision',
          place: { series: 'grants' },
          subject: { name: `grant:${newId('grant', start)}`, sha256: '' },
          body: {
            ...{ grant: story.grant, verdict: 'DENIED', agent: '*', capability: '*', grade: 'E0', ceiling: 'record' },
            ...{ expires: '2026-12-22T10:00:00.000Z', reason: 'no longer' },
          },
        });
      }),
    ),
    check: 'delegation',
    says: /grant is not the one in force/,
  },
};

const laundered: BentCases = {
  'an act whose chain leaves out the one in the middle': {
    bend: all(
      told,
      set('sub:intent', 'authority.chain', (story: Story) => [story.digest('accept:sub')]),
    ),
    check: 'authority',
    says: /leaves out a hop/,
  },
  'an act of the worker in the name of the planner': {
    bend: all(told, set('worker:intent', 'authority.chain', [])),
    check: 'authority',
    says: /bound to another key/,
  },
  'a token that does not name the one in the middle': {
    bend: all(
      told,
      inCall('sub', (call, story) => {
        const { sub } = call.token.act as { sub: string };
        call.token.act = { sub, act: story.own.act };
      }),
    ),
    check: 'authority',
    says: /names others above/,
  },
  'a token of another hop': {
    bend: all(
      told,
      inCall('sub', (call, story) => {
        call.token.hop = story.digest('accept:worker');
      }),
    ),
    check: 'authority',
    says: /of another hop/,
  },
  'a token of a delegate that names no hop': {
    bend: all(
      told,
      inCall('worker', (call) => {
        delete call.token.hop;
      }),
    ),
    check: 'authority',
    says: /of another hop/,
  },
  'a hop back to the one who passed it on': {
    bend: all(
      told,
      after('worker:outcome', (story) => {
        const worker = story.holders.get('worker');
        if (worker) passOn(story, 'worker', worker, { ...termsOf.sub }, 'circle');
      }),
    ),
    check: 'delegation',
    says: /in the chain already/,
  },
};

const exceeded: BentCases = {
  'an act beyond what was passed on': {
    bend: given('sub', { actions: 0 }),
    check: 'actions',
    says: /beyond the budget of its hop/,
  },
  'an act of the sub-worker that is one too many for the worker': {
    bend: all(told, {
      terms: (delegate, terms) => (delegate === 'worker' ? { ...terms, actions: 1 } : { ...terms, actions: 0 }),
    }),
    check: 'actions',
    says: /beyond the budget of its hop/,
  },
  'an act above the ceiling of its hop': {
    bend: given('sub', { ceiling: 'observe' }),
    check: 'actions',
    says: /above the ceiling of its hop/,
  },
  'an act after the deadline of its hop': {
    bend: given('sub', { deadline: '2026-11-22T10:00:01.000Z' }),
    check: 'actions',
    says: /after the deadline of its hop/,
  },
  'an act after its hop was taken back': {
    bend: all(
      told,
      after('accept:sub', (story) => tellEnded(story, 'sub', null)),
    ),
    check: 'authority',
    says: /was ended/,
  },
  'an act after the hop above was taken back': {
    bend: all(
      told,
      after('accept:sub', (story) => tellEnded(story, 'worker', story.own)),
    ),
    check: 'authority',
    says: /was ended/,
  },
  'an act after the one above was revoked': {
    bend: all(
      told,
      after('accept:sub', (story) => tellRevoked(story, 'worker')),
    ),
    check: 'authority',
    says: /above it, was revoked/,
  },
  'a hop by a delegate that was revoked': {
    bend: all(
      told,
      after('worker:outcome', (story) => tellRevoked(story, 'worker')),
    ),
    check: 'delegation',
    says: /was revoked/,
  },
  'a hop that somebody else than its delegator took back': {
    bend: all(
      told,
      inWord('end:sub', (draft) => {
        draft.signer = actors.agent;
      }),
      after('sub:outcome', (story) => tellEnded(story, 'sub', story.holders.get('worker') ?? null)),
    ),
    check: 'delegation',
    says: /not signed with the delegator's key/,
  },
  'a hop that an operator took back in the name of its delegator': {
    bend: all(
      told,
      after('sub:outcome', (story) => tellEnded(story, 'sub', null)),
      set('end:sub', 'by', 'delegator'),
    ),
    check: 'delegation',
    says: /by its word/,
  },
};

/** Splicing, framing, laundering and widening, each in a case that is honest but for that. */
export const delegations: BentCases = { ...widened, ...spliced, ...framed, ...laundered, ...exceeded };

function wordOf(story: Story, step: string): unknown {
  const { envelope } = story.said.get(step) ?? {};
  return envelope && JSON.parse(new TextDecoder().decode(envelope.payload)).predicate.word;
}
