import type { Allow } from '../../src/allow/allow.ts';
import { fromBase64, fromUtf8, toBase64, toHex, utf8 } from '../../src/encoding.ts';
import { encodeHop, encodeHopAccepted, encodeHopEnded, type HopParty } from '../../src/hop.ts';
import { newId } from '../../src/ids.ts';
import { jwkThumbprint } from '../../src/jwk.ts';
import { sha256 } from '../../src/platform.ts';
import type { CitedAgent } from '../../src/predicates.ts';
import type { Word } from '../../src/word.ts';
import { actors, newSigner, origin } from './actors.ts';
import { digestOf, start } from './props.ts';
import type { Holder, Story } from './story.ts';

/** Two agents more, with real keys, made once a process. */
const signers = { worker: newSigner(), sub: newSigner() } as const;
export type Delegate = keyof typeof signers;
const ids = { worker: newId('agent', start), sub: newId('agent', start) } as const;
const nonce = '00112233445566778899aabbccddeeff';

/** What is passed on, before it is signed. */
export interface Terms {
  readonly allow: Allow;
  readonly ceiling: 'observe' | 'record' | 'attest' | 'approve';
  readonly actions: number;
  readonly deadline: string;
  readonly depth: number;
}

export const termsOf: Readonly<Record<Delegate, Terms>> = {
  worker: {
    allow: [{ server: 'files', paths: { under: ['/srv/site/docs'] } }],
    ceiling: 'record',
    actions: 10,
    deadline: '2026-11-22T14:00:00.000Z',
    depth: 1,
  },
  sub: {
    allow: [{ server: 'files', tools: ['write_file'], paths: { under: ['/srv/site/docs'] } }],
    ceiling: 'record',
    actions: 3,
    deadline: '2026-11-22T12:00:00.000Z',
    depth: 0,
  },
};

const spiffeOf = (name: Delegate) => `spiffe://3f9a12c4.deed.local/agent/${name}`;

/** The planner passes a part on to the worker, which acts and passes a part of that on, and the sub-worker acts. */
export function tellDelegation(story: Story): void {
  for (const name of ['worker', 'sub'] as const) tellEnrolled(story, name);
  const worker = passOn(story, 'worker', story.own);
  story.holders.set('worker', worker);
  story.written('worker');
  const sub = passOn(story, 'sub', worker);
  story.holders.set('sub', sub);
  story.written('sub');
}

function tellEnrolled(story: Story, name: Delegate): void {
  const { spki, keyid } = signers[name];
  story.record({
    step: `enrol:${name}`,
    predicate: 'agent-enrolled',
    place: { series: 'agents' },
    subject: { name: `agent:${ids[name]}`, sha256: keyid },
    body: {
      agent: ids[name],
      kind: 'agent',
      spiffe: spiffeOf(name),
      definition: null,
      key: { alg: 'ES256', spki: toBase64(spki), jkt: jwkThumbprint(spki) },
      how: 'one-time-code',
      evidence: null,
      policy: null,
      owner: null,
    },
    signer: actors.registrar,
  });
}

/** Offers a part to a delegate, which accepts it. Returns how the delegate acts by it. */
export function passOn(
  story: Story,
  name: Delegate,
  from: Holder,
  terms: Terms = story.bend.terms?.(name, termsOf[name]) ?? termsOf[name],
  called: string = name,
): Holder {
  const hop = tellHop(story, name, from, terms, called);
  return { ...tellAccepted(story, name, from, hop, called), allow: terms.allow };
}

export function tellHop(story: Story, name: Delegate, from: Holder, terms: Terms, called: string = name): string {
  const step = `hop:${called}`;
  const allow = story.log.payload(JSON.stringify(terms.allow), 'application/vnd.deed.allow+json');
  const { ceiling, actions, deadline, depth } = terms;
  const parent = from.chain.at(-1) ?? null;
  let word: Word | undefined;
  const evidence = story.shown(
    step,
    (token) => {
      if (token === '') return '';
      const bytes = hopBytes(story, name, from, terms, token, allow.sha256);
      word = story.signed(step, 'deed-hop-v1', bytes, from.signer);
      return fromUtf8(fromBase64(word.bytes));
    },
    from,
  );
  return story.record({
    step,
    predicate: 'hop',
    place: { task: story.task, chain: 'seq' },
    subject: { name: `agent:${ids[name]}`, sha256: signedDigest(word) },
    observed: 'gateway-observed',
    body: {
      ...{ delegator: citedOf(story, from), delegate: cited(story, name), parent, evidence, allow },
      ...{ ceiling, budget: { actions }, deadline, depth, word },
    },
  }).digest;
}

function hopBytes(story: Story, name: Delegate, from: Holder, terms: Terms, token: string, allow?: string): Uint8Array {
  const { ceiling, actions, deadline, depth } = terms;
  const parties = { delegator: partyOf(from), delegate: party(name) };
  const held = { token: toHex(sha256(utf8(token))), parent: from.chain.at(-1) ?? null };
  const passed = { allow: allow ?? digestOf('allowed'), ceiling, actions, deadline, depth, nonce };
  return encodeHop({ origin, task: story.task, ...parties, ...held, ...passed });
}

export function tellAccepted(story: Story, name: Delegate, from: Holder, hop: string, called: string = name): Holder {
  const step = `accept:${called}`;
  const bytes = encodeHopAccepted({ origin, task: story.task, hop, delegate: party(name), nonce });
  const word = story.signed(step, 'deed-hop-accepted-v1', bytes, signers[name]);
  const accepted = story.record({
    step,
    predicate: 'hop-accepted',
    place: { task: story.task, chain: 'seq' },
    subject: { name: `agent:${ids[name]}`, sha256: signedDigest(word) },
    observed: 'gateway-observed',
    body: { hop, delegate: ids[name], grant: story.digest('grant'), word },
  });
  return {
    agent: ids[name],
    signer: signers[name],
    spiffe: spiffeOf(name),
    act: { sub: spiffeOf(name), act: from.act },
    chain: [...from.chain, accepted.digest],
  };
}

/** Takes a hop back: by its delegator's word, or by an operator (null). */
export function tellEnded(story: Story, called: string, by: Holder | null): void {
  const hop = story.digest(`hop:${called}`);
  const bytes = by && encodeHopEnded({ origin, task: story.task, hop, delegator: partyOf(by), nonce });
  story.record({
    step: `end:${called}`,
    predicate: 'hop-ended',
    place: { task: story.task, chain: 'seq' },
    subject: { name: `hop:${hop}`, sha256: hop },
    observed: 'gateway-observed',
    body: {
      hop,
      by: by ? 'delegator' : 'operator',
      word: bytes && by && story.signed(`end:${called}`, 'deed-hop-ended-v1', bytes, by.signer),
    },
  });
}

export function tellRevoked(story: Story, name: Delegate): void {
  story.record({
    step: `revoked:${name}`,
    predicate: 'revoked',
    place: { series: 'agents' },
    subject: { name: `agent:${ids[name]}`, sha256: signers[name].keyid },
    body: { what: 'agent', id: ids[name], reason: 'its key was lost' },
  });
}

function party(name: Delegate): HopParty {
  return { agent: ids[name], jkt: jwkThumbprint(signers[name].spki) };
}

function partyOf({ agent, signer }: Holder): HopParty {
  return { agent, jkt: jwkThumbprint(signer.spki) };
}

function cited(story: Story, name: Delegate): CitedAgent {
  const enrolled = story.digest(`enrol:${name}`);
  return { id: ids[name], spiffe: spiffeOf(name), definition: null, jkt: party(name).jkt, enrolled };
}

function citedOf(story: Story, { agent, spiffe, signer }: Holder): CitedAgent {
  const name = (['worker', 'sub'] as const).find((each) => ids[each] === agent);
  if (name) return cited(story, name);
  const jkt = jwkThumbprint(signer.spki);
  const definition = digestOf('the configuration of the agent');
  return { id: agent, spiffe, definition, jkt, enrolled: story.digest('agent') };
}

function signedDigest(word: Word | undefined): string {
  return word ? toHex(sha256(fromBase64(word.bytes))) : '0'.repeat(64);
}

/** The worker asks for more than it has: one refusal, which shows its token, its proof and its word. */
export function tellRefused(story: Story): void {
  const worker = story.holders.get('worker');
  if (!worker) return;
  const action = newId('action', start);
  const evidence = story.shown(
    'refused',
    (token) => fromUtf8(hopBytes(story, 'sub', worker, termsOf.worker, token)),
    worker,
  );
  story.record({
    step: 'refused:hop',
    predicate: 'refusal',
    place: { task: story.task, chain: 'seq' },
    subject: { name: `action:${action}`, sha256: evidence.sha256 },
    observed: 'gateway-observed',
    body: {
      ...{ action, record: null, method: 'deed/hop', tool: null, reason: 'outside-grant' },
      detail: 'a hop: it passes on 10 actions, and 9 are left',
      authority: { pop: 'agent', evidence, chain: worker.chain, grant: story.digest('grant'), unearned: false },
      ...{ decision: null, cites: null, approvals: [], rejection: null, edit: null },
    },
  });
}
