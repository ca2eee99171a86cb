import { parseActionRecord } from '../action-record.ts';
import { type Allow, admittedBy, attemptOf, decodeAllow, parseAllow } from '../allow/allow.ts';
import { isNarrowerAllow } from '../allow/narrower.ts';
import { fromBase64, fromUtf8, toBase64Url, utf8 } from '../encoding.ts';
import { EvidenceError } from '../errors.ts';
import { type Json, parseStrictJson } from '../json.ts';
import { type CompactJwt, parseJwt } from '../jwt.ts';
import { sha256 } from '../platform.ts';
import type { Authority, CitedAgent, PayloadRef } from '../predicates.ts';
import { holdsAt } from '../role-keys.ts';
import { type Actor, actorOf, partiesOf } from './actor.ts';
import { type Examination, type Logged, need } from './examination.ts';
import { checkMessage, type Decided } from './message.ts';

/** The bounds of docs/formats/token.md, in seconds. */
const maxTokenSeconds = 300;
const maxProofSeconds = 60;
/** How far the clocks of agent and server may be apart. */
const skewSeconds = 5;

/**
 * Checks token and proof where the case holds them, and returns the proof's id under its key's; null without a proof.
 * @throws EvidenceError case, json, encoding, signature
 */
export function checkPossession(exam: Examination, logged: Decided, authority: Authority): string | null {
  const actor = actorOf(exam, logged, authority.chain);
  if (authority.pop === 'none') {
    if (actor.agent) throw new EvidenceError('case', 'no proof of possession, but the task has an agent');
    checkTold(exam, logged, authority.evidence);
    return null;
  }
  if (!actor.agent) throw new EvidenceError('case', 'a proof of possession without an agent');
  if (!authority.evidence) throw new EvidenceError('case', 'neither token nor proof, but the task has an agent');
  const shown = checkHolder(exam, logged, authority.evidence, actor);
  if (!shown) return null; // withheld or not kept: the layer identity says so
  checkMessage(exam, logged, shown.message);
  checkDetails(exam, logged, shown.details, actor);
  return shown.id;
}

/** What somebody showed who holds a task, or a part of it: its token, the message it signed, and the id of the proof. */
export interface Shown {
  readonly token: string;
  readonly message: string;
  /** The token's `authorization_details`. */
  readonly details: Json | undefined;
  readonly id: string;
}

/**
 * The token is this deployment's, for this task and this holder, with everybody above it named; the proof is the holder's.
 * Null where the case does not hold them.
 * @throws EvidenceError case, json, encoding, signature
 */
export function checkHolder(exam: Examination, logged: Logged, evidence: PayloadRef, actor: Actor): Shown | null {
  const { origin } = logged.statement;
  const { opened, agent, hops } = actor;
  const bytes = exam.payload(evidence);
  if (!bytes || !agent) return null;
  const { token, proof, message } = readEvidence(bytes);
  const tokenJwt = parseJwt(token, 'deed-task+jwt');
  const proofJwt = parseJwt(proof, 'wpt+jwt');
  const issued = [...exam.keys.values()].some(
    (key) => key.role === 'token' && holdsAt(key, logged.index) && tokenJwt.verify(key.spki),
  );
  const enrolled = exam.find(agent.enrolled, 'agent-enrolled');
  need(issued, 'the token is not from this deployment');
  need(tokenJwt.claims.task === opened.statement.series, 'the token is for another task');
  need(tokenJwt.claims.obj === opened.statement.body.objective.sha256, 'the token is for another objective');
  need(tokenJwt.claims.iss === origin, 'the token is by another issuer');
  need(tokenJwt.claims.aud === origin && proofJwt.claims.aud === origin, 'token or proof is for another audience');
  need(inner(tokenJwt, 'cnf', 'jkt') === agent.jkt, 'the token is bound to another key');
  need(inner(tokenJwt, 'act', 'sub') === agent.spiffe, 'the token names another agent');
  const above = JSON.stringify(member(tokenJwt.claims.act, 'act') ?? null);
  need(above === JSON.stringify(actClaim(partiesOf(actor).slice(0, -1))), 'the token names others above its agent');
  need(tokenJwt.claims.hop === hops.at(-1)?.accepted.statement.digest, 'the token is of another hop');
  need(
    enrolled !== undefined && proofJwt.verify(fromBase64(enrolled.statement.body.key.spki)),
    "the proof is not by the agent's key",
  );
  need(proofJwt.claims.ath === toBase64Url(sha256(utf8(token))), 'the proof is for another token');
  need(proofJwt.claims.deed_bdh === toBase64Url(sha256(utf8(message))), 'the proof is for another message');
  const strict = logged.statement.predicate === 'intent' && logged.statement.body.tier === 'approve';
  need(!strict || isNonce(proofJwt.claims.nonce), 'its tier asks for a proof with a nonce of the server');
  checkLives(tokenJwt, proofJwt, Date.parse(logged.statement.time) / 1000);
  const id = proofJwt.claims.jti;
  if (typeof id !== 'string') throw new EvidenceError('case', 'the proof has no id');
  const details = tokenJwt.claims.authorization_details;
  return { token, message, details, id: `${agent.jkt}.${id}` };
}

/** Actors as RFC 8693 nests them: the last one outside; null for none. */
function actClaim(parties: readonly CitedAgent[]): Json {
  return parties.reduce<Json>((act, { spiffe }) => (act === null ? { sub: spiffe } : { sub: spiffe, act }), null);
}

/** That it was the server's, then, nobody else can tell. */
function isNonce(value: Json | undefined): boolean {
  return typeof value === 'string' && /^[A-Za-z0-9_-]{22,128}$/.test(value);
}

function readEvidence(bytes: Uint8Array): { readonly token: string; readonly proof: string; readonly message: string } {
  const value = parseStrictJson(bytes).value as Record<string, unknown> | null;
  const { token, proof, message } = value ?? {};
  if (typeof token !== 'string' || typeof proof !== 'string' || typeof message !== 'string') {
    throw new EvidenceError('case', 'the evidence of authority is not in form');
  }
  return { token, proof, message };
}

function checkLives(token: CompactJwt, proof: CompactJwt, writtenSeconds: number): void {
  const [given, made] = [lifeOf(token), lifeOf(proof)];
  need(given.exp - given.iat <= maxTokenSeconds, 'the token lives too long');
  need(made.exp - made.iat <= maxProofSeconds, 'the proof lives too long');
  need(Math.max(given.iat, made.iat) <= writtenSeconds + skewSeconds, 'token or proof was made later');
  need(
    made.iat < given.exp + skewSeconds && made.exp > given.iat - skewSeconds,
    'the proof was made outside the life of its token',
  );
}

function lifeOf({ claims }: CompactJwt): { readonly iat: number; readonly exp: number } {
  const { iat, exp } = claims;
  if (typeof iat !== 'number' || typeof exp !== 'number')
    throw new EvidenceError('case', 'a token or proof without end');
  return { iat, exp };
}

/** What the token allows: no more than the task, and an intent's action. Nothing is said of what is withheld or erased. */
function checkDetails(exam: Examination, logged: Decided, claim: Json | undefined, { opened, hops }: Actor): void {
  const details = allowOfToken(claim);
  const last = hops.at(-1);
  const held = exam.payload((last?.hop ?? opened).statement.body.allow);
  const whose = last ? 'hop' : 'task';
  need(!held || isNarrowerAllow(details, decodeAllow(held)), `the token allows more than its ${whose}`);
  const { record } = logged.statement.body;
  const bytes = logged.statement.predicate === 'intent' ? exam.payload(record) : null;
  need(
    !bytes || admittedBy(details, attemptOf(parseActionRecord(bytes))) !== null,
    'the token does not allow the action',
  );
  for (const { hop } of hops) {
    const passed = exam.payload(hop.statement.body.allow);
    const within = !bytes || !passed || admittedBy(decodeAllow(passed), attemptOf(parseActionRecord(bytes))) !== null;
    need(within, 'it is not among what was passed on');
  }
}

/** @throws EvidenceError statement */
function allowOfToken(details: Json | undefined): Allow {
  if (!Array.isArray(details)) throw new EvidenceError('case', 'the token has no authorization_details');
  return parseAllow(
    details.map((entry: Json) => {
      const { type, ...rest } = (entry ?? {}) as { readonly [key: string]: Json };
      need(type === 'deed-actions', 'the token has authorization_details of another type');
      return rest;
    }),
  );
}

/** Without a token there is the message alone, or nothing; whoever could reach the server said it. */
function checkTold(exam: Examination, logged: Decided, evidence: PayloadRef | null): void {
  need(evidence !== null || logged.statement.observed !== 'hook', 'nothing shows what the hook told');
  const bytes = exam.payload(evidence);
  if (bytes) checkMessage(exam, logged, fromUtf8(bytes), 'the message is of');
}

function inner({ claims }: CompactJwt, outer: string, name: string): Json | undefined {
  return member(claims[outer], name);
}

function member(value: Json | undefined, name: string): Json | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return (value as { readonly [key: string]: Json })[name];
}
