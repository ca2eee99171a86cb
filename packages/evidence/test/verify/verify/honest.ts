import { effects } from '../../../src/action-record.ts';
import { fromUtf8, utf8 } from '../../../src/encoding.ts';
import { acted, executed } from '../../support/api.ts';
import { after, all, at, inCall, set, skip } from '../../support/bends.ts';
import { told } from '../../support/hooks.ts';
import { implicit } from '../../support/implicit.ts';
import { confirmed, prompted } from '../../support/prompts.ts';
import { commit } from '../../support/props.ts';
import type { Bend, Story } from '../../support/story.ts';
import { byWorkload, issuerKey } from '../../support/workload.ts';
import { revokedName } from '../forged/enrolments.ts';

const trace = { traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7' };

export const honest: Readonly<Record<string, Bend>> = {
  'a call that the client made itself, as it told a hook before and after': told(),
  'a call that another hook changed, of which it is unknown what came': told({ tool_input: {} }, 'unknown'),
  'a call that the agent made itself, as the HTTP API gave it leave to': acted(),
  'a call that the agent made itself and told to have failed': all(
    set('write:outcome', 'status', 'error'),
    acted({ status: 'error', result: { why: 'no space is left' } }),
  ),
  'a call of the agent itself of which nothing was told in time': all(
    acted(),
    set('write:outcome', 'status', 'unknown'),
    set('write:outcome', 'result', null),
  ),
  'a request of the HTTP API that names the call of its model': acted(
    {},
    { toolCallId: 'toolu_1', expiresSeconds: 60 },
  ),
  'a call that the gateway made, as the HTTP API was asked to': executed(),
  'a call that the gateway was to make and that was never sent': all(
    executed({ toolCallId: 'toolu_2' }),
    set('write:outcome', 'status', 'error'),
    set('write:outcome', 'result', null),
  ),
  'a call that the gateway made, of which the service did not say whether it was done': all(
    executed(),
    set('write:outcome', 'status', 'unknown'),
    set('write:outcome', 'effects', ({ log }: Story) => {
      const url = 'https://api.example/v1/pages/index';
      const seen = { kind: 'http', method: 'PUT', url, status: 503, request: 'req-1' };
      const value = effects.parse({ v: 1, effects: [seen] });
      return log.payload(JSON.stringify(value), 'application/vnd.deed.effects+json');
    }),
  ),
  'a call that the client links to its prompt': prompted(),
  'a call whose prompt is inferred': prompted({ link: 'inferred' }),
  'a call whose prompt is inferred, and confirmed by the next turn': all(prompted({ link: 'inferred' }), confirmed()),
  'a call of which the model asked for two': prompted({
    link: 'ambiguous',
    call: null,
    asked: [1, 2].map((n) => [`toolu_${n}`, 'write_file', { content: 'mended', path: 'docs/index.md' }] as const),
  }),
  'a call of which the model asked for two, and the next turn says which': all(
    prompted({
      link: 'ambiguous',
      call: null,
      asked: [1, 2].map((n) => [`toolu_${n}`, 'write_file', { content: 'mended', path: 'docs/index.md' }] as const),
    }),
    confirmed(),
  ),
  'a call that stands in a trace, as its caller says': set('write:intent', 'trace', trace),
  'a call with its prompt, in a trace': all(prompted(), set('write:intent', 'trace', trace)),
  'a call that fits the prompts of several exchanges': prompted({ link: 'ambiguous', call: null, exchange: null }),
  'a call that is another than the model asked for': prompted({
    link: 'altered',
    asked: [['toolu_1', 'write_file', { path: 'docs/index.md', content: 'as it was' }]],
  }),
  'a push of which the forge took one ref and rejected another': set('push:outcome', 'effects', (story: Story) => {
    const [ok] = [
      { kind: 'git-ref', repository: 'site', ref: 'refs/heads/main', old: '0'.repeat(40), new: commit('a') },
    ];
    const rejected = { ...ok, ref: 'refs/heads/other', status: 'rejected', request: null };
    const value = effects.parse({ v: 1, effects: [{ ...ok, status: 'ok', request: null }, rejected] });
    return story.log.payload(JSON.stringify(value), 'application/vnd.deed.effects+json');
  }),
  'a message that spells its method with an escape': inCall('write', (call) => {
    call.message = call.message.replace('tools/call', 'tools\\/call');
  }),
  'a message without arguments': all(
    inCall('read', (call) => {
      call.message = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read_file"}}';
    }),
  ),
  'an unknown outcome that a later one settles': all(
    set('write:outcome', 'status', 'unknown'),
    after('write:outcome', (story) => lateOutcome(story, 'seq', story.digest('write:outcome'))),
  ),
  'an agent that enrolled by a workload token, whose issuer has other keys by now': byWorkload(),
  'an agent that enrolled by keys that the rule holds': byWorkload((draft) => {
    draft.rule.keys = [issuerKey];
    draft.evidence.issuer = { discovery: null, jwks: null, change: 'pinned' };
  }),
  'an agent whose name was revoked before, and trusted again by a later policy': all(byWorkload(), {
    after: (recorded, story) => (recorded.step === 'person' ? revokedName(story) : undefined),
  }),
  'a session of an agent that is not enrolled': implicit(),
  'a push whose unknown outcome with its anchor is settled by one without': all(
    set('push:outcome', 'status', 'unknown'),
    after('push:outcome', (story) => settlePush(story)),
    set('confirmed', 'outcome', (story: Story) => story.digest('push:settled')),
    at('confirmed', (draft, story) => {
      draft.subject.sha256 = story.digest('push:settled');
    }),
  ),
  'an intent that ends only after the task was closed, whose proof was replayed before': endsLate(),
};

/** The write's outcome comes in `after`; its proof's replay was refused while it was open. */
function endsLate(): Bend {
  return all(
    skip('write:outcome'),
    set('closed', 'open', (story: Story) => [story.digest('write:intent')]),
    after('closed', (story) => lateOutcome(story, 'after', null)),
  );
}

function lateOutcome(story: Story, chain: 'seq' | 'after', supersedes: string | null): void {
  story.record({
    step: 'late:outcome',
    predicate: 'outcome',
    place: { task: story.task, chain },
    subject: { name: `action:${story.actions.write}`, sha256: story.records.get('write')?.sha256 ?? '' },
    observed: 'gateway-observed',
    body: {
      action: story.actions.write,
      intent: story.digest('write:intent'),
      status: 'error',
      result: null,
      effects: null,
      anchor: null,
      supersedes,
    },
  });
}

function settlePush(story: Story): void {
  const first = story.said.get('push:outcome');
  const { predicate } = JSON.parse(fromUtf8(first?.envelope.payload ?? utf8('{}')));
  const { action, intent, result, effects: seen } = predicate;
  story.record({
    step: 'push:settled',
    predicate: 'outcome',
    place: { task: story.task, chain: 'seq' },
    subject: { name: `action:${action}`, sha256: story.records.get('push')?.sha256 ?? '' },
    observed: 'gateway-observed',
    body: { action, intent, status: 'ok', result, effects: seen, anchor: null, supersedes: first?.digest },
  });
}

export function addGap(story: Story): void {
  story.record({
    step: 'gap',
    predicate: 'observe-gap',
    place: { task: story.task, chain: 'after' },
    subject: { name: `task:${story.task}`, sha256: story.objective?.sha256 ?? '' },
    body: { since: '2026-11-22T10:00:00.000Z', detail: 'the server did not end in order' },
  });
}
