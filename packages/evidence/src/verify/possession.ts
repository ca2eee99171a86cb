import { parseActionRecord } from '../action-record.ts';
import { type Allow, admittedBy, attemptOf, decodeAllow, parseAllow } from '../allow/allow.ts';
import { isNarrowerAllow } from '../allow/narrower.ts';
import { fromBase64, toBase64Url, utf8 } from '../encoding.ts';
import { EvidenceError } from '../errors.ts';
import { type Json, parseStrictJson } from '../json.ts';
import { type CompactJwt, parseJwt } from '../jwt.ts';
import { sha256 } from '../platform.ts';
import type { Authority, PayloadRef } from '../predicates.ts';
import { holdsAt } from '../role-keys.ts';
import type { StatementWith } from '../statement.ts';
import { type Examination, type Logged, need } from './examination.ts';

export type Decided = Logged<StatementWith<'intent'>> | Logged<StatementWith<'refusal'>>;

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
  const { position, origin } = logged.statement;
  if (!('task' in position)) throw new EvidenceError('case', 'it is of no task');
  const opened = exam.series.get(position.task)?.[0]?.statement;
  if (opened?.predicate !== 'task-opened') throw new EvidenceError('case', 'its task-opened is not here');
  const { agent } = opened.body;
  if (authority.pop === 'none') {
    if (agent) throw new EvidenceError('case', 'no proof of possession, but the task has an agent');
    return null;
  }
  if (!agent) throw new EvidenceError('case', 'a proof of possession without an agent');
  if (!authority.evidence) throw new EvidenceError('case', 'neither token nor proof, but the task has an agent');
  const bytes = exam.payload(authority.evidence);
  if (!bytes) return null; // withheld or not kept: the layer identity says so
  const { token, proof, message } = readEvidence(bytes);
  const tokenJwt = parseJwt(token, 'deed-task+jwt');
  const proofJwt = parseJwt(proof, 'wpt+jwt');
  const issued = [...exam.keys.values()].some(
    (key) => key.role === 'token' && holdsAt(key, logged.index) && tokenJwt.verify(key.spki),
  );
  const enrolled = exam.find(agent.enrolled, 'agent-enrolled');
  need(issued, 'the token is not from this deployment');
  need(tokenJwt.claims.task === position.task, 'the token is for another task');
  need(tokenJwt.claims.obj === opened.body.objective.sha256, 'the token is for another objective');
  need(tokenJwt.claims.iss === origin, 'the token is by another issuer');
  need(tokenJwt.claims.aud === origin && proofJwt.claims.aud === origin, 'token or proof is for another audience');
  need(inner(tokenJwt, 'cnf', 'jkt') === agent.jkt, 'the token is bound to another key');
  need(inner(tokenJwt, 'act', 'sub') === agent.spiffe, 'the token names another agent');
  need(
    enrolled !== undefined && proofJwt.verify(fromBase64(enrolled.statement.body.key.spki)),
    "the proof is not by the agent's key",
  );
  need(proofJwt.claims.ath === toBase64Url(sha256(utf8(token))), 'the proof is for another token');
  need(proofJwt.claims.deed_bdh === toBase64Url(sha256(utf8(message))), 'the proof is for another message');
  const strict = logged.statement.predicate === 'intent' && logged.statement.body.tier === 'approve';
  need(!strict || isNonce(proofJwt.claims.nonce), 'its tier asks for a proof with a nonce of the server');
  checkLives(tokenJwt, proofJwt, Date.parse(logged.statement.time) / 1000);
  checkMessage(exam, logged, message);
  checkDetails(exam, logged, tokenJwt, opened.body.allow);
  const id = proofJwt.claims.jti;
  if (typeof id !== 'string') throw new EvidenceError('case', 'the proof has no id');
  return `${agent.jkt}.${id}`;
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
function checkDetails(exam: Examination, logged: Decided, token: CompactJwt, allow: PayloadRef): void {
  const details = allowOfToken(token.claims.authorization_details);
  const task = exam.payload(allow);
  need(!task || isNarrowerAllow(details, decodeAllow(task)), 'the token allows more than its task');
  const { record } = logged.statement.body;
  const bytes = logged.statement.predicate === 'intent' ? exam.payload(record) : null;
  need(
    !bytes || admittedBy(details, attemptOf(parseActionRecord(bytes))) !== null,
    'the token does not allow the action',
  );
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

/** The action record says, to the letter, what the message says that the agent signed: method, tool and arguments. */
function checkMessage(exam: Examination, logged: Decided, message: string): void {
  const { record, method, tool } = logged.statement.body;
  const call = parseStrictJson(message, { refuseCaseVariants: true });
  const isCall = method === 'tools/call';
  const params = member(call.value, 'params');
  const replayed = logged.statement.predicate === 'refusal' && !record && !tool;
  need(replayed || member(call.value, 'method') === method, 'the agent signed another call');
  need(!isCall || !tool || member(params, 'name') === tool.name, 'the agent signed another call: of another tool');
  const bytes = exam.payload(record);
  if (!bytes) return;
  const sent = (isCall ? call.raw('params', 'arguments') : call.raw('params')) ?? '{}';
  need(parseActionRecord(bytes).arguments === sent, 'the agent signed another call: with other arguments');
}

function inner({ claims }: CompactJwt, outer: string, name: string): Json | undefined {
  return member(claims[outer], name);
}

function member(value: Json | undefined, name: string): Json | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return (value as { readonly [key: string]: Json })[name];
}
