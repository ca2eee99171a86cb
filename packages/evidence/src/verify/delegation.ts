import { decodeAllow } from '../allow/allow.ts';
import { fromBase64, fromUtf8, toHex, utf8 } from '../encoding.ts';
import { EvidenceError } from '../errors.ts';
import { acceptSeconds, type HopParty, isPassableAllow, parseHop, parseHopAccepted, parseHopEnded } from '../hop.ts';
import { sha256 } from '../platform.ts';
import { type CitedAgent, type PayloadRef, type Tier, tiers } from '../predicates.ts';
import type { StatementWith } from '../statement.ts';
import { openWord, type Word } from '../word.ts';
import { type Actor, actorOf, lineOf, openedOf, partiesOf, whyDead } from './actor.ts';
import { checkEnrolment, checkGrantInForce } from './authority.ts';
import { type Examination, type HeldHop, type Logged, label, need } from './examination.ts';
import { checkHolder } from './possession.ts';

type Hop = Logged<StatementWith<'hop'>>;
type Accepted = Logged<StatementWith<'hop-accepted'>>;
type Ended = Logged<StatementWith<'hop-ended'>>;

/** Each hop signed by its delegator, accepted by its delegate, bound to what the delegator held, and never beyond it. */
export function checkDelegation(exam: Examination): string | null {
  const steps: (Hop | Accepted | Ended)[] = [...exam.all('hop'), ...exam.all('hop-accepted'), ...exam.all('hop-ended')];
  for (const step of steps.sort((a, b) => a.index - b.index)) {
    exam.attempt(label(step), () => {
      if (isOf(step, 'hop')) checkHop(exam, step);
      else if (isOf(step, 'hop-accepted')) checkAccepted(exam, step);
      else if (isOf(step, 'hop-ended')) checkEnded(exam, step);
    });
  }
  return `${exam.all('hop').length} hops, ${exam.hops.size} accepted`;
}

function isOf<Name extends 'hop' | 'hop-accepted' | 'hop-ended'>(
  step: Logged,
  name: Name,
): step is Logged<StatementWith<Name>> {
  return step.statement.predicate === name;
}

function checkHop(exam: Examination, hop: Hop): void {
  const { body, origin, series } = hop.statement;
  const { delegator, delegate, parent } = body;
  const opened = openedOf(exam, hop);
  const holder = actorOf(exam, hop, parent === null ? [] : chainTo(exam, parent));
  need(holder.agent !== null, 'a task without an agent is not passed on');
  need(sameAgent(holder.agent, delegator), 'its delegator is not the one who holds what it passes on');
  const keys = [delegator, delegate].map((agent) => checkEnrolment(exam, hop, agent));
  const bytes = openWord('deed-hop-v1', body.word);
  const word = parseHop(bytes);
  need(word.origin === origin && word.task === series, 'its word is for another task');
  const isSaid =
    isParty(word.delegator, delegator) &&
    isParty(word.delegate, delegate) &&
    word.parent === parent &&
    word.allow === body.allow.sha256 &&
    word.ceiling === body.ceiling &&
    word.actions === body.budget.actions &&
    word.deadline === body.deadline &&
    word.depth === body.depth;
  need(isSaid, 'its word says something else');
  if (keys[0]) need(isSignedBy(body.word, keys[0]), "its word is not signed with the delegator's key");

  const dead = whyDead(exam, holder, hop.index);
  need(dead === null, dead ?? '');
  const repeated = partiesOf(holder).some(({ id, jkt }) => id === delegate.id || jkt === delegate.jkt);
  need(!repeated, 'its delegate is in the chain already');
  checkNarrower(exam, hop, holder);
  if (keys[0]) checkToken(exam, hop, holder, { bytes, token: word.token });
  need(opened.statement.body.deadline >= hop.statement.time, 'it comes after the deadline of its task');
}

/** Never more than the holder has, at this place of the log: actions, tier, number, time, further hops. */
function checkNarrower(exam: Examination, hop: Hop, holder: Actor): void {
  const { allow, ceiling, budget, deadline, depth } = hop.statement.body;
  const wide = (holder.hops.at(-1)?.hop ?? holder.opened).statement.body;
  need(rank(ceiling) <= rank(wide.ceiling), 'its ceiling is above that of its delegator');
  need(deadline <= wide.deadline, 'it lasts longer than what its delegator holds');
  need(hop.statement.time <= wide.deadline, 'what its delegator holds had ended');
  need(depth < wide.depth, 'it goes deeper than its delegator may');
  const left = wide.budget.actions - begunBy(exam, holder, hop.index);
  need(budget.actions <= left, `it passes on ${budget.actions} actions, and ${left} are left`);
  const [inner, outer] = [allow, wide.allow].map((ref: PayloadRef) => exam.payload(ref));
  if (inner && outer)
    need(isPassableAllow(decodeAllow(inner), decodeAllow(outer)), 'it allows what its delegator may not');
}

/** The actions that a holder, and whoever it passed something on to, began before a place of the log. */
function begunBy(exam: Examination, { opened, hops }: Actor, before: number): number {
  const last = hops.at(-1)?.accepted.statement.digest;
  return exam.all('intent').filter(({ index, statement }) => {
    if (index >= before || statement.series !== opened.statement.series) return false;
    return last === undefined || statement.body.authority.chain.includes(last);
  }).length;
}

/** The token that the word names is the delegator's own, alive, and came with a proof over exactly this word. */
function checkToken(
  exam: Examination,
  hop: Hop,
  holder: Actor,
  said: { readonly bytes: Uint8Array; readonly token: string },
): void {
  const shown = checkHolder(exam, hop, hop.statement.body.evidence, holder);
  if (!shown) return; // withheld: the word alone binds it
  need(toHex(sha256(utf8(shown.token))) === said.token, 'its word names another token than its delegator held');
  need(shown.message === fromUtf8(said.bytes), 'its proof is over another message than its word');
  if (exam.proofs.has(shown.id)) throw new EvidenceError('case', 'its proof served before');
  exam.proofs.set(shown.id, hop);
}

function checkAccepted(exam: Examination, accepted: Accepted): void {
  const { body, origin, series, time } = accepted.statement;
  const hop = exam.find(body.hop, 'hop');
  if (!hop) {
    exam.incomplete(`${label(accepted)}: the hop that it accepts is not here`);
    return;
  }
  need(
    hop.index < accepted.index && hop.statement.series === series,
    'the hop that it accepts is of another task, or later',
  );
  const { delegate, parent } = hop.statement.body;
  need(delegate.id === body.delegate, 'somebody else accepts than the delegate');
  const bytes = openWord('deed-hop-accepted-v1', body.word);
  const word = parseHopAccepted(bytes);
  need(word.origin === origin && word.task === series && word.hop === body.hop, 'its word accepts another hop');
  need(isParty(word.delegate, delegate), 'its word is of somebody else');
  const key = checkEnrolment(exam, accepted, delegate);
  if (key) need(isSignedBy(body.word, key), "its word is not signed with the delegate's key");
  need(![...exam.hops.values()].some((held) => held.hop === hop), 'the hop was accepted before');
  need(Date.parse(time) <= Date.parse(hop.statement.time) + acceptSeconds * 1000, 'it comes too late');
  const above = parent === null ? null : (exam.hops.get(parent) ?? null);
  const held: HeldHop = { hop, accepted, parent: above };
  exam.hops.set(accepted.statement.digest, held);
  const actor = { opened: openedOf(exam, accepted), agent: delegate, hops: lineOf(held) };
  const dead = whyDead(exam, actor, accepted.index);
  need(dead === null, dead ?? '');
  checkGrantInForce(exam, accepted, delegate.id, body.grant);
}

function checkEnded(exam: Examination, ended: Ended): void {
  const { body, origin, series } = ended.statement;
  const hop = exam.find(body.hop, 'hop');
  if (!hop) {
    exam.incomplete(`${label(ended)}: the hop that it ends is not here`);
    return;
  }
  need(hop.index < ended.index && hop.statement.series === series, 'the hop that it ends is of another task, or later');
  const first = exam.all('hop-ended').find(({ statement }) => statement.body.hop === body.hop);
  need(first === ended, 'the hop was ended before');
  need(
    (body.by === 'delegator') === (body.word !== null),
    'a delegator ends a hop by its word, and nobody else has one',
  );
  if (!body.word) return;
  const { delegator } = hop.statement.body;
  const word = parseHopEnded(openWord('deed-hop-ended-v1', body.word));
  need(word.origin === origin && word.task === series && word.hop === body.hop, 'its word ends another hop');
  need(isParty(word.delegator, delegator), 'its word is of somebody else');
  const key = checkEnrolment(exam, ended, delegator);
  if (key) need(isSignedBy(body.word, key), "its word is not signed with the delegator's key");
}

function chainTo(exam: Examination, accepted: string): readonly string[] {
  const held = exam.hops.get(accepted);
  if (!held) return [accepted];
  return lineOf(held).map((each) => each.accepted.statement.digest);
}

function isSignedBy({ signature }: Word, spki: Uint8Array): boolean {
  return signature.kind === 'es256' && toHex(fromBase64(signature.key)) === toHex(spki);
}

function isParty({ agent, jkt }: HopParty, cited: CitedAgent): boolean {
  return agent === cited.id && jkt === cited.jkt;
}

function sameAgent(one: CitedAgent | null, other: CitedAgent): boolean {
  return one?.id === other.id && one.jkt === other.jkt && one.enrolled === other.enrolled;
}

function rank(tier: Tier): number {
  return tiers.indexOf(tier);
}
