import { members } from '../../src/case/members.ts';
import type { Verdict } from '../../src/verify/report.ts';
import { actors, newNoteSigner, origin } from '../support/actors.ts';
import type { BentCases } from '../support/bends.ts';
import { makeCase, nowMs, pack } from '../support/case-maker.ts';
import { delegations } from '../verify/delegation/forged.ts';
import { unfinishedDelegations } from '../verify/delegation/incomplete.ts';
import { erasures } from '../verify/erasures/forged.ts';
import { neverErased } from '../verify/erasures/incomplete.ts';
import { accounts } from '../verify/forged/accounts.ts';
import { actions } from '../verify/forged/actions.ts';
import { approvals } from '../verify/forged/approvals.ts';
import { authority } from '../verify/forged/authority.ts';
import { closing } from '../verify/forged/closing.ts';
import { enrolments } from '../verify/forged/enrolments.ts';
import { contracts, events, findings } from '../verify/forged/events.ts';
import { keys } from '../verify/forged/keys.ts';
import { payloads } from '../verify/forged/payloads.ts';
import { people } from '../verify/forged/people.ts';
import { proofs } from '../verify/forged/proofs.ts';
import { series } from '../verify/forged/series.ts';
import { signatures } from '../verify/forged/signatures.ts';
import { incomplete } from '../verify/incomplete/cases.ts';
import { operators } from '../verify/operator/forged.ts';
import { absentStamps, forgedStamps } from '../verify/timestamps/forged.ts';
import { tsa } from '../verify/timestamps/stamps.ts';
import { unusable } from '../verify/unusable/forms.ts';
import { bent, bentCase, type Example, honest } from './example.ts';
import { anchors } from './honest/anchors.ts';
import { approved } from './honest/approvals.ts';
import { authorities } from './honest/authority.ts';
import { delegated } from './honest/delegation.ts';
import { erased } from './honest/erasures.ts';
import { tasks } from './honest/tasks.ts';
import { proofExamples, receiptExamples } from './receipts.ts';
import { fewKeys, trustWith } from './trust-files.ts';
import { unanchoredExamples } from './unanchored.ts';

/** What the same rule refuses for the same reason as its neighbour in the table: the tests have it, the vectors do without. */
const alike: readonly string[] = [
  'a comparison of what lies outside the time of the action',
  'a record whose mapping is not named',
  'a word that says another state',
  'a word that was used twice',
  'one more record than the contract expects',
  'a record of another operation',
  'a record with another id than the action’s',
  'a record that is none by its mapping',
  'a record whose mapping is none',
  'a confirmation by no contract that is here',
  'a confirmation by a contract that is none',
  'a comparison that is called an id',
  'a confirmation of another outcome',
  'a word about another finding',
  'a word for another reason',
  'a finding that the server explained',
  'a record of what was refused',
  'a passkey that is synced and may not be',
  'a passkey’s answer from no site at all',
  'two approvals, of which one is for another record',
  'a word of the passkey’s key that no passkey signed',
  'an edit that is only a rejection',
  'arguments of which another person is called the author',
  'a passkey’s registration for an answer',
  'a passkey’s answer in a frame of another site',
  'a passkey’s answer on the page of another site',
  'a passkey that nobody touched',
  'a passkey’s answer to the word of another purpose',
  'two approvals under one key',
  'one approval named twice',
  'a rejection that is an edit',
  'an edit by somebody who was never enrolled',
  'an approval that calls itself out of the agent’s reach, where both are one user',
  'an outcome by the token key',
  'a statement by nobody in particular',
  'an approval of another record',
  'an approval for another deployment',
  'a policy activated by nobody',
  'a token by another issuer',
  'a proof for another message',
  'a message with another method',
  'a decision by another engine',
  'a record of another tool',
  'another note than the anchor’s',
  'takes a proof that lives for days',
  'names another subject than the statement is about',
  'cites a grant that was revoked meanwhile',
  'calls his own word the confirmation of the touched system',
  'leaves out token and proof of an approved action',
  'takes a token that names another agent',
  'an event that is here although it was erased',
  'an erasure under the second of two holds',
  'an erasure that names a case which holds none',
  'an erasure by somebody who was never enrolled',
  'a hold over another task',
  'a hold of another deployment',
  'an erasure signed by the registrar',
  'a hold for another reason than was signed',
  'a payload that only the deployment’s series erased',
  'an approved action whose rendering is withheld',
  'a task opened by the root',
  'a first after that does not follow task-opened',
  'a proof under an older checkpoint',
  'an approval by somebody who is no approver',
  'a token for another audience',
  'a token signed by the receipt key',
  'an intent although policy failed',
  'a grant that was denied',
  'a confirmation of another action',
  'one action begun twice',
  'an output left out',
  'retention by the rule of a lower tier',
  'a hold that is placed again by its old word',
  'uses an approval that a refusal consumed',
  'a workload token of another issuer',
  'a workload token for two audiences',
  'a workload token that was verified after the enrolment',
  'a new key that signed for another definition',
  'an agent of another name than its rule',
  'an enrolment by a policy without trust rules',
  'an enrolment by a workload token that it does not show',
  'a workload token that had expired',
  'a workload token for another audience',
  'a workload token of a repository that took the name',
  'a workload token of a pull request in the right environment',
  'a workload token from the future',
  'a new key that signed for another token',
  'a new key that signed for another deployment',
  'an agent of another kind than its rule',
  'a rule of another bundle',
  'a fetched key where the rule holds the keys',
  'an archived key that is not the one the rule holds',
  'an enrolment by a code that cites a policy',
  'a rule that its policy has not',
  'a definition that is another than its digest',
  'files the batch of one source under another',
  'takes a proof that was made after its token had ended',
  'a series with a head and no statement',
  'an approved action whose token and proof are withheld',
  'no policy',
  'an approval of another task',
  'a proof for another token',
  'an anchor that was made after the outcome',
  'a batch with other counts',
  'a release by the word that placed it',
  'an outcome of another action',
  'a gap in what came after',
  'no policy files',
  'a payload, and another was erased',
  'an approved action whose approval is absent',
  'another root than the anchor’s',
  'a token bound to another key',
  'an intent by the registrar',
  'ends an intent by the refusal of another action',
  'a person let in by his own word',
  'an order of another deployment',
  'a person let in by somebody who is no operator',
  'an operator who gives himself a role, although there is a colleague',
  'an operator who gives himself a key, although there is a colleague',
  'an operator who gives a colleague a key that is his own',
  'an operator who removes the only other one',
  'a second word by an auditor',
  'what needs no second person called done alone',
  'the last operator removed',
  'a change to somebody who was never enrolled',
  'a change to somebody who was removed',
  'somebody who was removed enrolled again under the old id',
  'the only key of a person removed',
  'a key removed that the person does not have',
  'an order by a key that was removed',
  'an approval by somebody who gave the role back',
  'a key of one person added to another',
  'a change that the receipt key signed',
  'an order for the first person, whom nobody could let in',
  'a hop that lasts longer than its task',
  'a hop whose word is for another deployment',
  'a hop in a task that is not passed on',
  'a hop whose proof is over another message',
  'a hop that an operator took back in the name of its delegator',
  'a hop of the worker that claims to hang on the task itself',
  'an acceptance by the delegator',
  'an acceptance under a grant that was not in force for the delegate',
  'a token of another hop',
  'a token of a delegate that names no hop',
  'an act of the sub-worker that is one too many for the worker',
  'an act after its hop was taken back',
  'an act after the deadline of its hop',
  'an act above the ceiling of its hop',
  'a hop by a delegate that was revoked',
  'a hop with a higher ceiling',
  'a hop whose proof serves an action too',
  'an acceptance of another hop',
  'a hop that somebody else than its delegator took back',
  'a hop that allows another folder',
  'a hop whose allowed actions are not those that were signed',
];
/** Forms of a zip that one rule refuses: there is one byte form. */
const alikeForms: readonly string[] = [
  'a zip without members',
  'a case without its last byte',
  'another version in the headers',
  'flags in the headers',
  'a member with an absolute name',
  'a case.json in another form',
  'extra fields',
  'another date in the headers',
];
/** What is missing there contradicts something else as well, so that the verdict is FORGED. */
const worse: readonly string[] = [
  'a gap in the series of its task',
  'no task-opened',
  'a batch without its tree',
  'a batch that does not show the credential of the task',
  'a dropped event',
  'no enrolment of its agent',
  'an event that no statement erased',
];

/** Every vector that is made. */
export function* examples(): Generator<Example> {
  for (const table of [tasks, authorities, approved, delegated, erased, anchors]) yield* honest(table);
  for (const table of [
    keys,
    signatures,
    series,
    proofs,
    payloads,
    people,
    accounts,
    enrolments,
    authority,
    approvals,
    actions,
    closing,
    events,
    contracts,
    findings,
  ])
    yield* bent('FORGED', 'A case that has', leaving(table, alike));
  yield* bent('FORGED', 'A case that has', leaving(delegations, alike));
  yield* bent('FORGED', 'An operator with every key of the server, who', leaving(operators, alike));
  yield* bent('FORGED', 'A case that has', leaving(erasures, alike));
  yield* bent('INCOMPLETE', 'A case that has', leaving(incomplete, [...alike, ...worse]));
  yield* bent('INCOMPLETE', 'A case that has', unfinishedDelegations);
  yield* bent('INCOMPLETE', 'A case that calls erased', leaving(neverErased, [...alike, ...worse]));
  yield* changedMembers();
  yield* unanchoredExamples();
  yield* underTrust();
  yield* stamps();
  yield* unreadable();
  yield* receiptExamples();
  yield* proofExamples();
}

/** Timestamps that are not what they seem, where the trust file asks for one. */
function stamps(): Example[] {
  const trust = trustWith({ tsas: [tsa.sha256] });
  return Object.entries({ ...forgedStamps, ...absentStamps }).map(([name, [bend]]) => ({
    name: `a timestamp that ${name}`,
    what: `A case with a timestamp that ${name}.`,
    given: bentCase({ bend: { ...bend, parts: ['push'] }, trust }),
    verdict: name in absentStamps ? 'INCOMPLETE' : 'FORGED',
    check: 'timestamps',
  }));
}

/** Files that are no case. */
function unreadable(): Example[] {
  return Object.entries(unusable)
    .filter(([name]) => !alikeForms.includes(name))
    .map(([name, make]) => ({
      name,
      what: `A file that is or has ${name}.`,
      given: { kind: 'case', file: make(), trust: trustWith({}), nowMs },
      verdict: 'unusable',
    }));
}

/** Honest cases that the trust file knows to be others'. */
function underTrust(): Example[] {
  const another = newNoteSigner(origin, 1).key;
  const files = {
    'another root than the trust file names': trustWith({ root: actors.stranger.keyid }),
    'no signature of a log key that the trust file names': trustWith({ logs: [...fewKeys, { key: another }] }),
    'another log than the trust file names': trustWith({ logs: [{ key: newNoteSigner('example.org/log', 1).key }] }),
    'a receipt key that a later trust file says was compromised before': `${trustWith({})}compromised ${actors.receipt.keyid} 5\n`,
  };
  return Object.entries(files).map(([name, trust]) => ({
    name,
    what: `An honest case with ${name}.`,
    given: bentCase({ bend: { parts: ['write'] }, trust }),
    verdict: 'FORGED',
  }));
}

/** What somebody who holds a case can do to it with a zip tool. */
function changedMembers(): Example[] {
  const { members: held } = makeCase({ logs: fewKeys, parts: ['write'] });
  const other = makeCase({ logs: fewKeys, parts: ['write'] }).members;
  const payload = [...held.keys()].find((name) => name.startsWith('payloads/')) ?? '';
  const seal: string[] = [members.exported, members.exportedProof];
  const changes: Readonly<Record<string, readonly [Verdict, string, ReadonlyMap<string, Uint8Array>]>> = {
    'a payload that somebody changed': ['FORGED', 'manifest', new Map(held).set(payload, new Uint8Array(40))],
    'a listed member that somebody took out': [
      'INCOMPLETE',
      'manifest',
      new Map([...held].filter(([name]) => name !== payload)),
    ],
    'the export of another case': [
      'unusable',
      'manifest',
      new Map([...held, ...[...other].filter(([name]) => seal.includes(name))]),
    ],
  };
  return Object.entries(changes).map(([name, [verdict, check, files]]) => ({
    name,
    what: `A case with ${name}.`,
    given: { kind: 'case', file: pack(files), trust: trustWith({}), nowMs },
    verdict,
    check,
  }));
}

/** The table without these. */
function leaving(table: BentCases, names: readonly string[]): BentCases {
  return Object.fromEntries(Object.entries(table).filter(([name]) => !names.includes(name)));
}
