import { encodeApproval } from '../../../src/approval.ts';
import { toBase64, toHex } from '../../../src/encoding.ts';
import { newId } from '../../../src/ids.ts';
import { sha256 } from '../../../src/platform.ts';
import { actors, newSigner, origin, roleKey, signWord } from '../../support/actors.ts';
import { after, all, at, inApproval, inCall, inWord, set, signedBy } from '../../support/bends.ts';
import { tellKey } from '../../support/key-events.ts';
import { first, keyOf, tellChange, tellPerson } from '../../support/people.ts';
import { definition, digestOf, executable, start } from '../../support/props.ts';
import { ed25519, p256, type SshKey, sshWord } from '../../support/ssh-keys.ts';
import type { Bend, Story } from '../../support/story.ts';
import { byWorkload, issuerKey } from '../../support/workload.ts';
import { revokedName } from '../../verify/forged/enrolments.ts';
import { logRotated, newLog, oldLog, otherLog, rotatedAfter } from '../../verify/key-changes/rotations.ts';
import { activate, grant, refuse, revoke } from '../../verify/operator/slipped-in.ts';
import type { HonestCases } from '../example.ts';
import { trustWith } from '../trust-files.ts';
import { parts } from './tasks.ts';

const successor = newSigner();
const otherAgent = newId('agent', start);

/** Who may do what, by which keys, and how that changed without harm. */
export const authorities: HonestCases = {
  'a person who signs with an ssh key, Ed25519': { bend: all(parts('push'), bySsh(ed25519())) },
  'a person who signs with an ssh key, P-256': { bend: all(parts('push'), bySsh(p256())) },
  'an approval in the first instant for which it was given, and an intent in the last': {
    bend: all(
      parts('push'),
      inApproval(({ notBefore }) => {
        const instant = new Date(Date.parse(notBefore) + 1000).toISOString();
        return { notBefore: instant, expires: new Date(Date.parse(instant) + 1000).toISOString() };
      }),
    ),
  },
  'an action that a person rejected by a signed word': {
    bend: all(
      parts('write'),
      after('write:outcome', (story) => reject(story)),
    ),
  },
  'a second person who approves nothing': {
    bend: all(
      parts('push'),
      after('person', (story) => void tellPerson(story, 'colleague', { roles: ['approver'] })),
    ),
  },
  'people who came and went by the words of two': {
    bend: all(
      parts('push'),
      after('person', (story) => {
        const other = tellPerson(story, 'colleague', { roles: ['operator'] });
        const by = [other, first(story)];
        const spare = newSigner();
        const auditor = tellPerson(story, 'auditor', { roles: ['auditor'], by: [other], alone: false });
        tellChange(story, auditor.id, { kind: 'roles', roles: ['approver'] }, { by });
        tellChange(story, other.id, { kind: 'key-added', key: keyOf(spare) }, { by });
        tellChange(story, other.id, { kind: 'key-removed', key: keyOf(other.signer) }, { by: [other] });
        tellChange(story, auditor.id, { kind: 'removed' }, { by: [{ id: other.id, signer: spare }] });
      }),
    ),
  },
  'a person who approved, and was removed later': {
    bend: all(
      parts('push'),
      after('push:outcome', (story) => {
        const other = tellPerson(story, 'colleague', { roles: ['operator'] });
        tellChange(story, story.person, { kind: 'removed' }, { by: [other, first(story)] });
      }),
    ),
  },
  'an only operator who gave himself a second key alone': {
    bend: all(
      parts('read'),
      after('person', (story) => {
        const change = { kind: 'key-added', key: keyOf(newSigner()) } as const;
        tellChange(story, story.person, change, { by: [first(story)], alone: true });
      }),
    ),
  },
  'an auditor whom one of two operators let in, and who left by her own word': {
    bend: all(
      parts('read'),
      after('person', (story) => {
        const other = tellPerson(story, 'colleague', { roles: ['operator'] });
        const auditor = tellPerson(story, 'auditor', { roles: ['auditor'], by: [other], alone: false });
        tellChange(story, auditor.id, { kind: 'removed' }, { by: [auditor] });
      }),
    ),
  },
  'authority that was earned up to tier approve': {
    bend: all(
      parts('push'),
      set('grant', 'verdict', 'GRANTED'),
      set('grant', 'grade', 'E3'),
      set('grant', 'ceiling', 'approve'),
      set('push:intent', 'authority.unearned', false),
    ),
  },
  'a grant that is renewed between two actions': {
    bend: all(
      parts('read', 'write'),
      after('read:outcome', (story) => grant(story, 'renewed', { verdict: 'RENEWED' })),
      inCall('write', (call, story) => {
        call.token.grant = story.digest('renewed');
      }),
      set('write:intent', 'authority.grant', (story: Story) => story.digest('renewed')),
    ),
  },
  'a grant of another agent that was revoked': {
    bend: all(
      parts('write'),
      after('grant', (story) => grant(story, 'of another', { agent: otherAgent, verdict: 'REVOKED' })),
    ),
  },
  'an agent that was revoked after its task': {
    bend: all(
      parts('write'),
      after('closed', (story) => revoke(story)),
    ),
  },
  'an agent that enrolled by a workload token': { bend: all(parts('write'), byWorkload()) },
  'an agent that enrolled by a workload token whose key its rule holds': {
    bend: all(
      parts('write'),
      byWorkload((draft) => {
        draft.rule.keys = [issuerKey];
        draft.evidence.issuer = { discovery: null, jwks: null, change: 'pinned' };
      }),
    ),
  },
  'an agent that enrolled by a workload token for one audience in a list, by a pattern': {
    bend: all(
      parts('write'),
      byWorkload(({ rule, claims }) => {
        rule.subject = { pattern: 'repo:acme/site:ref:refs/tags/*' };
        Object.assign(claims, { sub: 'repo:acme/site:ref:refs/tags/v1.2.3', aud: [claims.aud] });
      }),
    ),
  },
  'a name that was revoked and trusted again by a later policy': {
    bend: all(parts('write'), byWorkload(), {
      after: (recorded, story) => (recorded.step === 'person' ? revokedName(story) : undefined),
    }),
  },
  'a policy that was replaced a moment before the action was decided': {
    bend: all(
      parts('write'),
      after('opened', (story) => activate(story, 'policy:2', 2, '2222')),
    ),
  },
  'a tool whose definition changed after it was called': {
    bend: all(
      parts('write'),
      after('write:outcome', (story) => pinAgain(story, 'write_file')),
    ),
  },
  'a proof that is just not too old, of a token that just begins to live': {
    bend: all(
      parts('write'),
      inCall('write', ({ token, proof }) => {
        token.iat = proof.iat;
        token.exp = Number(token.iat) + 300;
      }),
    ),
  },
  'a receipt key that was exchanged in the middle of an action': {
    bend: all(
      parts('write'),
      rotatedAfter('write:intent', 'end', ({ log }) => log.size),
    ),
  },
  'a receipt key whose end is dated back, which only a compromise can be': {
    bend: all(
      parts('write'),
      rotatedAfter('write:intent', 'end', () => 0),
    ),
  },
  'a receipt key that was compromised after all that it signed here': {
    bend: all(
      parts('write'),
      rotatedAfter('write:intent', 'compromised', ({ log }) => log.size),
    ),
  },
  'a token key that was exchanged between two actions': {
    bend: all(
      parts('read', 'write'),
      after('read:outcome', (story) => {
        tellKey(story, { ...roleKey('token'), ...spkiOf(successor) });
        tellKey(story, roleKey('token'), 'end', story.log.size);
      }),
      inCall('write', (call) => {
        call.tokenSigner = successor;
      }),
    ),
  },
  'a registrar whose key was exchanged before it enrolled the agent': {
    bend: all(
      parts('write'),
      after('grant', (story) => {
        tellKey(story, { ...roleKey('registrar'), ...spkiOf(successor) });
        tellKey(story, roleKey('registrar'), 'end', story.log.size);
      }),
      signedBy('agent', successor),
    ),
  },
  'a log key that was exchanged, under an older trust file': {
    bend: { ...logRotated([newLog, otherLog]), logs: actors.logs, parts: ['write'] },
  },
  'a log key that was exchanged, under a later trust file that tells the spans': {
    bend: { ...logRotated([newLog, otherLog]), logs: actors.logs, parts: ['write'] },
    trust: `log ${newLog.vkey}\n${trustWith({}, actors.logs)}span ${origin}+${oldLog.key.id} 0 9\nspan ${origin}+${newLog.key.id} 9 -\n`,
  },
  'a log key that was compromised, and its successor signs': {
    bend: { ...logRotated([newLog, otherLog], 'compromised'), logs: actors.logs, parts: ['write'] },
  },
  'a receipt key of which a later trust file says that it was compromised after this case': {
    bend: parts('write'),
    trust: `${trustWith({})}compromised ${actors.receipt.keyid} 1000\n`,
  },
};

function spkiOf({ spki, keyid }: { readonly spki: Uint8Array; readonly keyid: string }) {
  return { spki: toBase64(spki), keyid };
}

function bySsh(key: SshKey): Bend {
  return all(
    at('person', ({ body, subject }) => {
      body.key = { kind: 'sshsig', public: toBase64(key.wire) };
      subject.sha256 = toHex(sha256(key.wire));
    }),
    ...['policy', 'push'].map((step) =>
      inWord(step, (word) => {
        word.sign = (domain, bytes) => sshWord(key, domain, bytes);
      }),
    ),
  );
}

function reject(story: Story): void {
  const action = newId('action', start);
  const bytes = encodeApproval({
    decision: 'reject',
    origin,
    task: story.task,
    action,
    record: digestOf('what was wished'),
    rendering: digestOf('what was shown'),
    person: story.person,
    nonce: '00112233445566778899aabbccddeeff',
    notBefore: story.time(),
    expires: story.time(600_000),
    arguments: null,
  });
  const rejection = signWord('deed-approval-v1', bytes, actors.person);
  refuse(story, 'rejected', { action, reason: 'rejected', rejection });
}

function pinAgain(story: Story, tool: string): void {
  const next = digestOf('another definition');
  story.record({
    step: `pin:${tool}:again`,
    predicate: 'tool-pinned',
    place: { series: 'tools' },
    subject: { name: `tool:files/${tool}`, sha256: next },
    body: { server: 'files', tool, definition: next, executable, how: 'accepted', previous: definition(tool) },
  });
}
