import { encodeCaseJson, parseCaseJson } from '../../../src/case/case-json.ts';
import { toHex, utf8 } from '../../../src/encoding.ts';
import { newId } from '../../../src/ids.ts';
import { sha256 } from '../../../src/platform.ts';
import { actors } from '../../support/actors.ts';
import { after, all, at, inCall, put, set, skip } from '../../support/bends.ts';
import { contracted, findingChanged } from '../../support/contracts.ts';
import { digestOf, start } from '../../support/props.ts';
import { type Bend, type Story, wide } from '../../support/story.ts';
import { withheld } from '../../verify/incomplete/cases.ts';
import { refuse, secondTask } from '../../verify/operator/slipped-in.ts';
import { addGap, honest } from '../../verify/verify/honest.ts';
import type { HonestCases } from '../example.ts';

const second = newId('task', start);

/** Tasks that did little, much, or ended otherwise than by an outcome that is ok. */
export const tasks: HonestCases = {
  'one task with all that can be in it': {},
  'one task in a log with a post-quantum key': { bend: { logs: actors.logs } },
  'one task in a log that has a post-quantum key alone': { bend: { logs: actors.logs.slice(1) } },
  'a task that did nothing': { bend: { parts: [] } },
  'a task that only read, of which nothing but digests was kept': { bend: { parts: ['read'] } },
  'a task whose allowed actions name arguments and counts': {
    bend: {
      allow: [
        {
          ...{ server: 'files', tools: ['write_file'], maxCount: 1, paths: { under: ['/srv/site/docs/'] } },
          ...{ arguments: { path: { set: ['docs/index.md'] } }, otherArguments: 'allowed' },
        },
        { ...wide, methods: ['tools/call'], maxCount: 2 },
      ],
    },
  },
  'a task with a token that allows less than it does': {
    bend: all(
      parts('write'),
      inCall('write', ({ token }) => {
        const write = { server: 'files', tools: ['write_file'], paths: { under: ['/srv/site/docs'] } };
        token.authorization_details = [{ type: 'deed-actions', ...write, arguments: {}, otherArguments: 'allowed' }];
      }),
    ),
  },
  'a proof with a nonce that its tier does not ask for': {
    bend: all(
      parts('write'),
      inCall('write', ({ proof }) => {
        proof.nonce = 'A'.repeat(22);
      }),
    ),
  },
  'a task with no limit on what arguments its calls have': {
    bend: all(parts('write'), { allow: [{ ...wide, tools: ['write_file'] }] }),
  },
  'a write that the log of a file server confirms, as its contract expects': { bend: contracted() },
  'a write that such a log confirms by content and time': {
    bend: contracted({
      contract: { effects: [{ tools: ['*'], sources: ['files'], operations: ['written'] }] },
      confirmed: () => ({ how: 'compared' }),
    }),
  },
  'a finding that an operator explained': { bend: findingChanged({}) },
  'a task that only wrote': { bend: { parts: ['write'] } },
  'a task that wished one thing, and was denied it': { bend: { parts: ['denied'] } },
  'a push that nobody has reconciled yet': { bend: { parts: ['push'] } },
  'a push with records that were read and not judged yet': {
    bend: all(parts('push', 'reconciled'), skip('confirmed', 'finding', 'reconciled')),
  },
  'an action that failed': { bend: all(parts('write'), set('write:outcome', 'status', 'error')) },
  'an action at tier record of which nobody knows what came of it': {
    bend: all(parts('write'), set('write:outcome', 'status', 'unknown'), set('write:outcome', 'result', null)),
  },
  'an action at tier attest, with all that it demands': {
    bend: all(parts('write'), set('write:intent', 'tier', 'attest'), set('write:intent', 'authority.unearned', true)),
  },
  'a result of no bytes': {
    bend: all(
      parts('write'),
      set('write:outcome', 'result', ({ log }: Story) => log.payload(new Uint8Array(), 'text/plain')),
    ),
  },
  'an objective in other scripts': {
    bend: all(
      parts('write'),
      at('opened', ({ body, subject }, { log }) => {
        const objective = log.payload('Répare le lien ⛓️ — リンクを直す — אַתָּה 𝒜', 'text/plain');
        body.objective = objective;
        subject.sha256 = objective.sha256;
      }),
      { call: (call, story) => put(call.token, 'obj', objectiveOf(story)) },
    ),
  },
  'an action that a hook on the side of the agent reported': {
    bend: all(parts('write'), observedBy('write', 'hook')),
  },
  'an action that was refused after its intent, because what would run had changed': {
    bend: all(
      parts('write'),
      skip('write:outcome'),
      after('write:intent', (story) =>
        refuse(story, 'changed', {
          action: story.actions.write,
          cites: story.digest('write:intent'),
          reason: 'operands-changed',
        }),
      ),
    ),
  },
  'an approved push that was refused because no witness answered': {
    bend: all(
      parts('push'),
      skip('push:outcome'),
      set('closed', 'outputs', []),
      after('push:intent', (story) =>
        refuse(story, 'unwitnessed', {
          action: story.actions.push,
          cites: story.digest('push:intent'),
          approvals: [story.digest('push:approval')],
          reason: 'unwitnessed',
        }),
      ),
      {
        files: (files) => {
          for (const name of [...files.keys()]) if (name.endsWith('-anchor.tlog-proof')) files.delete(name);
        },
      },
    ),
  },
  'an action that waited for a person until it expired': {
    bend: all(
      parts('write'),
      after('write:outcome', (story) => refuse(story, 'waited', { reason: 'expired' })),
    ),
  },
  'a budget that is used up to the last action': {
    bend: all(parts('read', 'write'), set('opened', 'budget', { actions: 2 }), set('closed', 'reason', 'budget')),
  },
  'an output that no outcome saw, because it is a file and not a ref': {
    bend: all(
      parts('push'),
      at('closed', ({ body }) => {
        const report = { name: 'file:report.txt', digest: { sha256: digestOf('a report') } };
        body.outputs = [...(body.outputs as object[]), report];
      }),
    ),
  },
  'separation that was not there or was not measured': {
    bend: all(
      parts('write', 'push'),
      at('write:intent', (draft) => {
        draft.separation = { agent: 'same-uid', tool: 'same-uid' };
      }),
      at('push:intent', (draft) => {
        draft.separation = { agent: 'none', tool: 'none' };
      }),
    ),
  },
  'a record that was not kept, below tier attest': {
    bend: all(
      parts('write'),
      at('write:intent', (draft, { log }) => {
        const { sha256: name } = draft.body.record as { sha256: string };
        log.files.delete(`payloads/${name}`);
        put(draft.body, 'record.kept', false);
      }),
    ),
  },
  'a record that is withheld by name, below tier attest': {
    bend: all(parts('write'), withheld('record', 'write:intent')),
  },
  'a gap after a restart that the task was told of': {
    bend: all(parts('write'), after('closed', addGap)),
  },
  'two tasks in one case': {
    bend: all(
      parts('write'),
      after('closed', (story) => secondTask(story, second)),
      set('exported', 'tasks', (story: Story) => [story.task, second]),
      at('exported', ({ body }, story) => {
        const { series, n, digest } = story.log.head(`${second}/after`) ?? {};
        body.heads = [...(body.heads as object[]), { series, n, digest }];
      }),
      {
        files(files, { task }) {
          const json = parseCaseJson(files.get('case.json') ?? utf8(''));
          files.set('case.json', encodeCaseJson({ ...json, tasks: [task, second] }));
        },
      },
    ),
  },
  'callers that were turned away and counted': {
    bend: all(
      parts('write'),
      after('closed', (story) =>
        story.record({
          step: 'rejects',
          predicate: 'rejects-counted',
          place: { series: 'deployment' },
          subject: { name: `deployment:deed.local/3f9a12c4`, sha256: toHex(sha256(utf8('rejects'))) },
          body: { since: story.time(-60_000), until: story.time(), counts: [{ code: 'token', count: 3 }] },
        }),
      ),
    ),
  },
  ...Object.fromEntries(Object.entries(honest).map(([sentence, bend]) => [sentence, { bend }])),
};

export function parts(...told: NonNullable<Bend['parts']>): Bend {
  return { parts: told };
}

function observedBy(action: string, observed: 'hook' | 'self-reported'): Bend {
  return {
    draft(draft) {
      if (draft.step.startsWith(`${action}:`)) draft.observed = observed;
    },
  };
}

function objectiveOf(story: Story): string {
  const { predicate } = JSON.parse(new TextDecoder().decode(story.said.get('opened')?.envelope.payload));
  return predicate.objective.sha256;
}
