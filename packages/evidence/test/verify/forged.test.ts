import { describe, expect, it } from 'vitest';
import { proves } from '../../../../tests/promises.ts';
import { type ApprovalWord, encodeApproval, parseApproval } from '../../src/approval.ts';
import { encodeBatchJson, parseBatchJson } from '../../src/case/case-json.ts';
import { utf8 } from '../../src/encoding.ts';
import { newId } from '../../src/ids.ts';
import { parseTrust } from '../../src/log/trust.ts';
import { actors, type logKey, newNoteSigner, newSigner, origin, roleKey } from '../support/actors.ts';
import { after, all, at, type Expected, expectVerdict, inCall, inEvents, inWord, put, set } from '../support/bends.ts';
import { examine, makeCase, pack, trust, trustText } from '../support/case-maker.ts';
import { commit, digestOf, start } from '../support/props.ts';
import type { Story } from '../support/story.ts';

const stranger = newSigner();

const signedBy = (step: string, signer: typeof stranger) =>
  at(step, (draft) => {
    draft.signer = signer;
  });
const inHeader = (step: string, field: string, value: unknown) =>
  at(step, (draft) => {
    draft.header[field] = value;
  });
const inApproval = (change: (word: ApprovalWord) => Partial<ApprovalWord>) =>
  inWord('push', (draft) => {
    const word = parseApproval(draft.bytes);
    draft.bytes = encodeApproval({ ...word, ...change(word) });
  });

const forged: Readonly<Record<string, Readonly<Record<string, Expected>>>> = {
  keys: {
    'a key-event that the root did not sign': {
      bend: signedBy('key:token', actors.receipt),
      check: 'keys',
      says: /not signed by the root/,
    },
    'a key with two roles': {
      bend: after('key:token', (story) => addKey(story, { ...roleKey('registrar'), role: 'receipt' })),
      check: 'keys',
      says: /has a role already/,
    },
    'a second root': {
      bend: after('key:token', (story) => addKey(story, roleKey('root', stranger))),
      check: 'keys',
      says: /second root/,
    },
    'a key under an id that is not its own': {
      bend: set('key:token', 'key.spki', roleKey('token', stranger).spki),
      check: 'keys',
      says: /not the digest of the key/,
    },
    'a series of keys that does not begin with a root': {
      bend: set('key:root', 'key.role', 'receipt'),
      check: 'keys',
      says: /does not add the root/,
    },
  },
  signatures: {
    'an enrolment by the receipt key': {
      bend: signedBy('person', actors.receipt),
      check: 'signatures',
      says: /signed by a receipt key, must be registrar/,
    },
    'an intent by the registrar': {
      bend: signedBy('write:intent', actors.registrar),
      check: 'signatures',
      says: /signed by a registrar key, must be receipt/,
    },
    'an outcome by the token key': {
      bend: signedBy('write:outcome', actors.token),
      check: 'signatures',
      says: /must be receipt/,
    },
    'a task opened by the root': {
      bend: signedBy('opened', actors.root),
      check: 'signatures',
      says: /must be receipt/,
    },
    'an intent by the agent itself': {
      bend: signedBy('write:intent', actors.agent),
      check: 'signatures',
      says: /without a role/,
    },
    'a statement by nobody in particular': {
      bend: signedBy('closed', stranger),
      check: 'signatures',
      says: /without a role/,
    },
    'a statement by a key that had ended': {
      bend: after('opened', (story) => addKey(story, roleKey('receipt'), 'end', story.log.size)),
      check: 'signatures',
      says: /not in force/,
    },
    'a statement by a key after it was compromised': {
      bend: after('closed', (story) => addKey(story, roleKey('receipt'), 'compromised', 20)),
      check: 'signatures',
      says: /compromised by then/,
    },
    'a signature that fails': {
      bend: at('closed', (draft) => {
        draft.signer = { ...actors.receipt, sign: stranger.sign };
      }),
      check: 'signatures',
      says: /signature fails/,
    },
  },
  series: {
    'prev of another statement': {
      bend: inHeader('write:outcome', 'prev', digestOf('another')),
      check: 'series',
      says: /prev is not the statement before/,
    },
    'a first statement with a predecessor': {
      bend: inHeader('opened', 'prev', digestOf('another')),
      check: 'series',
      says: /first of a series/,
    },
    'a first after that does not follow task-opened': {
      bend: inHeader('confirmed', 'prev', '0'.repeat(64)),
      check: 'series',
      says: /first of a series/,
    },
    'two statements with one number': {
      bend: inHeader('write:outcome', 'seq', 3),
      check: 'series',
      says: /second statement with this number/,
    },
    'another head than the export states': {
      bend: at('exported', (draft) => {
        const heads = draft.body.heads as { series: string; digest: string }[];
        draft.body.heads = heads.map((head) => (head.series === 'tools' ? { ...head, digest: digestOf('x') } : head));
      }),
      check: 'series',
      says: /another head/,
    },
    'an export that is not the newest of its series': {
      bend: {
        draft(draft) {
          if (draft.step === 'exported') draft.header.after = 1;
        },
      },
      check: 'series',
      says: /second statement|not the newest/,
    },
    'a statement of another origin': {
      bend: inHeader('write:outcome', 'origin', 'example.org/log'),
      check: 'statements',
      says: /another origin/,
    },
  },
  proofs: {
    "a checkpoint without one of the log's signatures": {
      bend: { logKeys: actors.logs.slice(0, 1) },
      check: 'proofs',
      says: /not signed by the log's keys/,
    },
    'the proof of another entry': {
      bend: {
        files(files) {
          const other = files.get('proofs/000000000003.tlog-proof') ?? utf8('');
          files.set('proofs/000000000004.tlog-proof', other);
        },
      },
      check: 'proofs',
      says: /proof is for log index 3/,
    },
    'a proof under an older checkpoint': {
      bend: {
        files(files, { log }) {
          files.set('proofs/000000000003.tlog-proof', log.proof(3, log.checkpoint(20)));
        },
      },
      check: 'proofs',
      says: /another checkpoint/,
    },
    'statements at each other’s places': {
      bend: {
        files(files) {
          const [a, b] = ['statements/000000000016.json', 'statements/000000000018.json'];
          const [first, second] = [files.get(a), files.get(b)];
          if (first && second) files.set(a, second).set(b, first);
        },
      },
      check: 'proofs',
      says: /not in the tree/,
    },
    'an envelope in another form': {
      bend: {
        files(files) {
          const text = new TextDecoder().decode(files.get('statements/000000000016.json'));
          files.set('statements/000000000016.json', utf8(text.replace('{"payload"', '{ "payload"')));
        },
      },
      check: 'statements',
      says: /not a DSSE envelope/,
    },
  },
  payloads: {
    'a payload that is not what was named': {
      bend: {
        files(files, story) {
          const object = `payloads/${story.records.get('write')?.sha256}`;
          files.set(object, utf8('sixteen bytes ok and other contents'));
        },
      },
      check: 'payloads',
      says: /does not hash to its name/,
    },
    'a payload of another size': {
      bend: set('write:outcome', 'result.size', 1),
      check: 'payloads',
      says: /another size/,
    },
  },
  people: {
    'an approval of another action': {
      bend: inApproval(() => ({ action: newId('action', start) })),
      check: 'people',
      says: /approved was another action/,
    },
    'an approval of another record': {
      bend: inApproval(() => ({ record: digestOf('another record') })),
      check: 'people',
      says: /approved was another action/,
    },
    'an approval of another rendering': {
      bend: inApproval(() => ({ rendering: digestOf('another rendering') })),
      check: 'people',
      says: /shown was another rendering/,
    },
    'an approval of another task': {
      bend: inApproval(() => ({ task: newId('task', start) })),
      check: 'people',
      says: /another task/,
    },
    'an approval for another deployment': {
      bend: inApproval(() => ({ origin: 'example.org/log' })),
      check: 'people',
      says: /another task/,
    },
    'an approval by another person': {
      bend: inApproval(() => ({ person: newId('person', start) })),
      check: 'people',
      says: /another person signed/,
    },
    'a rejection used as an approval': {
      bend: inApproval(() => ({ decision: 'reject' })),
      check: 'people',
      says: /not an approval/,
    },
    'an approval that had expired': {
      bend: inApproval(() => ({ expires: '2026-11-22T10:00:01.000Z' })),
      check: 'people',
      says: /outside the time/,
    },
    'an approval by a key that is not the person’s': {
      bend: inWord('push', (word) => {
        word.signer = stranger;
      }),
      check: 'people',
      says: /not the person's/,
    },
    'an approval whose signature fails': {
      bend: inWord('push', (word) => {
        word.signer = { ...actors.person, sign: stranger.sign };
      }),
      check: 'people',
      says: /signature over the deed-approval-v1 word fails/,
    },
    'an approval by somebody who is no approver': {
      bend: set('person', 'roles', ['operator']),
      check: 'people',
      says: /no approver/,
    },
    'a policy activated by somebody who is no operator': {
      bend: set('person', 'roles', ['approver']),
      check: 'people',
      says: /no operator/,
    },
    'a policy activated by nobody': {
      bend: inWord('policy', (word) => {
        word.signer = stranger;
      }),
      check: 'people',
      says: /not the person's/,
    },
    'a policy file that is another': {
      bend: {
        files(files, story) {
          files.set(`policy/${story.bundle}/calls.cedar`, utf8('permit (principal, action, resource);'));
        },
      },
      check: 'people',
      says: /is another/,
    },
  },
  authority: {
    'a token of another task': {
      bend: inCall('write', (call) => {
        call.token.task = newId('task', start);
      }),
      check: 'authority',
      says: /token is for another task/,
    },
    'a token that this deployment did not issue': {
      bend: inCall('write', (call) => {
        call.tokenSigner = stranger;
      }),
      check: 'authority',
      says: /not from this deployment/,
    },
    'a token signed by the receipt key': {
      bend: inCall('write', (call) => {
        call.tokenSigner = actors.receipt;
      }),
      check: 'authority',
      says: /not from this deployment/,
    },
    'a token bound to another key': {
      bend: inCall('write', (call) => {
        call.token.cnf = { jkt: 'other' };
      }),
      check: 'authority',
      says: /bound to another key/,
    },
    'a token for another audience': {
      bend: inCall('write', (call) => {
        call.token.aud = 'example.org/log';
      }),
      check: 'authority',
      says: /another audience/,
    },
    'a token by another issuer': {
      bend: inCall('write', (call) => {
        call.token.iss = 'example.org/log';
      }),
      check: 'authority',
      says: /another issuer/,
    },
    'a proof by another key than the agent’s': {
      bend: inCall('write', (call) => {
        call.proofSigner = stranger;
      }),
      check: 'authority',
      says: /not by the agent's key/,
    },
    'a proof for another token': {
      bend: inCall('write', (call) => {
        call.proof.ath = 'A'.repeat(43);
      }),
      check: 'authority',
      says: /for another token/,
    },
    'a proof for another message': {
      bend: inCall('write', (call) => {
        call.proof.deed_bdh = 'A'.repeat(43);
      }),
      check: 'authority',
      says: /for another message/,
    },
    'a message with other arguments': {
      bend: inCall('write', (call) => {
        call.message = call.message.replace('mended', 'broken');
      }),
      check: 'authority',
      says: /signed another call/,
    },
    'a message with another method': {
      bend: inCall('write', (call) => {
        call.message = call.message.replace('tools/call', 'tools/list');
      }),
      check: 'authority',
      says: /signed another call/,
    },
    'a proof that serves two actions': {
      bend: inCall('push', (call, story) => {
        const object = story.log.files.get(`payloads/${story.evidence.get('write')?.sha256}`) ?? utf8('');
        const { proof } = JSON.parse(new TextDecoder().decode(object.subarray(16)));
        call.proof.jti = JSON.parse(Buffer.from(proof.split('.')[1], 'base64url').toString()).jti;
      }),
      check: 'authority',
      says: /its proof served/,
    },
    'no proof although the task has an agent': {
      bend: set('write:intent', 'authority', (story: Story) => ({
        pop: 'none',
        evidence: null,
        grant: story.digest('grant'),
        unearned: false,
      })),
      check: 'authority',
      says: /no proof of possession/,
    },
    'another agent than was enrolled': {
      bend: set('opened', 'agent.definition', digestOf('another configuration')),
      check: 'authority',
      says: /another agent than was enrolled/,
    },
    'an intent above the ceiling of an earned grant': {
      bend: all(set('grant', 'verdict', 'GRANTED'), set('push:intent', 'authority.unearned', false)),
      check: 'authority',
      says: /above the ceiling of its grant/,
    },
    'earned authority claimed under a waiver': {
      bend: set('push:intent', 'authority.unearned', false),
      check: 'authority',
      says: /label "authority not earned" is wrong/,
    },
    'a grant that had expired': {
      bend: set('grant', 'expires', '2026-11-22T10:00:01.000Z'),
      check: 'authority',
      says: /grant had expired/,
    },
    'a grant that was denied': {
      bend: set('grant', 'verdict', 'DENIED'),
      check: 'authority',
      says: /grant was DENIED/,
    },
    'an intent against a decision that denied it': {
      bend: set('write:intent', 'decision.outcome', 'deny'),
      check: 'authority',
      says: /did not allow it/,
    },
    'an intent although policy failed': {
      bend: set('write:intent', 'decision.errors', ['policy0 failed']),
      check: 'authority',
      says: /did not allow it/,
    },
    'a decision by another engine': {
      bend: set('write:intent', 'decision.engine.sha256', digestOf('another engine')),
      check: 'authority',
      says: /another engine/,
    },
  },
  actions: {
    'a second intent with one approval': {
      bend: after('push:outcome', (story) => again(story, { approval: story.digest('push:approval') })),
      check: 'actions',
      says: /approval was used before|approval is for another action/,
    },
    'one action begun twice': {
      bend: after('push:outcome', (story) => again(story, {})),
      check: 'actions',
      says: /was begun before/,
    },
    'an approve action without an approval': {
      bend: set('push:intent', 'approval', null),
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
    'an anchor without the log’s signature': {
      bend: { anchor: () => ({ signers: [newNoteSigner(origin, 1), actors.witness] }) },
      check: 'actions',
      says: /not signed by the log's keys/,
    },
  },
  closing: {
    'a closing that counts other statements': {
      bend: set('closed', 'count', 5),
      check: 'closing',
      says: /counts another number/,
    },
    'a closing that names open intents which have ended': {
      bend: set('closed', 'open', (story: Story) => [story.digest('write:intent')]),
      check: 'closing',
      says: /other open intents/,
    },
    'an output that no outcome delivered': {
      bend: set('closed', 'outputs', [{ name: 'git:site:refs/heads/main', digest: { gitCommit: commit('b') } }]),
      check: 'closing',
      says: /no outcome delivered/,
    },
    'an output left out': { bend: set('closed', 'outputs', []), check: 'closing', says: /does not list/ },
  },
  events: {
    'a batch with an event dropped': {
      bend: dropEvent(),
      check: 'events',
      says: /another root/,
    },
    'a batch with other counts': {
      bend: set('ingested', 'batch.events', 2),
      check: 'events',
      says: /other counts/,
    },
    'a confirmation by an event that says something else': {
      bend: inEvents((push) => (push.to === commit('a') ? { ...push, repository: 'other' } : push)),
      check: 'events',
      says: /not what the outcome says/,
    },
    'a confirmation by an event that is not the credential’s': {
      bend: set('confirmed', 'events', (story: Story) => [
        { source: 'forge', batch: story.digest('ingested'), event: digestOf('nothing') },
      ]),
      check: 'events',
      says: /is not here/,
    },
    'a confirmation of another action': {
      bend: at('confirmed', (draft, story) => {
        draft.body.action = story.actions.write;
        draft.subject.name = `action:${story.actions.write}`;
      }),
      check: 'events',
      says: /confirms another action/,
    },
  },
};

describe('a case is FORGED when it has', () => {
  for (const [check, cases] of Object.entries(forged)) {
    for (const [sentence, expected] of Object.entries(cases)) {
      it(`${sentence} (${check})`, () => {
        proves('invariant-3', 'invariant-4', 'invariant-7', 'invariant-9');
        expectVerdict('FORGED', expected);
      });
    }
  }
});

describe('with the trust file a case is FORGED', () => {
  const honest = makeCase();

  it('under another root', () => {
    const report = examine(honest.file, { trust: { ...trust, root: stranger.keyid } });
    expect(report).toMatchObject({ verdict: 'FORGED', reasons: [{ check: 'trust' }] });
  });

  it('without the signature of a log key that the file names', () => {
    const logs = [...trust.logs, { key: newNoteSigner(origin, 1).key }];
    const report = examine(honest.file, { trust: { ...trust, logs } });
    expect(report.verdict).toBe('FORGED');
    expect(report.reasons.map(({ message }) => message).join()).toMatch(/no signature by the log key/);
  });

  it('with a signature line of a named witness that fails', () => {
    const proof = 'proofs/case-exported.tlog-proof';
    const lines = new TextDecoder().decode(honest.members.get(proof)).split('\n');
    const at = lines.findIndex((line) => line.startsWith(`— ${origin}/witness`));
    const [mark, witness, sig = ''] = (lines[at] ?? '').split(' ');
    const bytes = Buffer.from(sig, 'base64');
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    lines[at] = `${mark} ${witness} ${bytes.toString('base64')}`;
    const file = pack(new Map(honest.members).set(proof, utf8(lines.join('\n'))));
    expect(examine(file)).toMatchObject({ verdict: 'FORGED', code: 5 });
  });

  it('of another log', () => {
    const other = trustText
      .replaceAll(/^log .*\n/gm, '')
      .replace(/^/, `log ${newNoteSigner('example.org/log', 1).vkey}\n`);
    expect(examine(honest.file, { trust: parseTrust(other) })).toMatchObject({ verdict: 'FORGED' });
  });
});

function addKey(story: Story, key: ReturnType<typeof roleKey | typeof logKey>, event = 'add', from = 0): void {
  story.record({
    step: `key:${event}:slipped-in`,
    predicate: 'key-event',
    place: { series: 'keys' },
    subject: { name: `key:${key.keyid}`, sha256: key.keyid },
    body: { event, key, from },
    signer: actors.root,
  });
}

/** Another intent like that of the push. */
function again(story: Story, over: Record<string, unknown>): void {
  const first = story.said.get('push:intent');
  const { predicate } = JSON.parse(new TextDecoder().decode(first?.envelope.payload));
  const { action, record, tier, method, tool, authority, decision, approval } = predicate;
  const body = { action, record, tier, method, tool, authority, decision, approval, ...over };
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

/** The hidden push is left out of the disclosed sub-tree. */
function dropEvent(): Expected['bend'] {
  return {
    files(files) {
      const path = [...files.keys()].find((member) => member.endsWith('/batch.json')) ?? '';
      const batch = parseBatchJson(files.get(path) ?? utf8(''));
      const disclosed = batch.disclosed.map((entry) => ({ ...entry, events: entry.events.slice(0, 1) }));
      put(batch, 'disclosed', disclosed);
      files.set(path, encodeBatchJson(batch));
    },
  };
}
