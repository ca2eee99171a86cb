import { type ActionRecord, encodeActionRecord, type Operands, parseEffects } from '../../src/action-record.ts';
import type { Allow, AllowEntry } from '../../src/allow/allow.ts';
import { encodeApproval } from '../../src/approval.ts';
import { members } from '../../src/case/members.ts';
import { blindCredential } from '../../src/credential.ts';
import { toBase64Url, utf8 } from '../../src/encoding.ts';
import { newId } from '../../src/ids.ts';
import { jwkThumbprint } from '../../src/jwk.ts';
import { type Output, outputsOf } from '../../src/outputs.ts';
import { saltSize } from '../../src/payload.ts';
import { randomBytes, sha256 } from '../../src/platform.ts';
import type { Decision, PayloadRef, Tier, ToolRef } from '../../src/predicates.ts';
import { parseStatement, type Statement } from '../../src/statement.ts';
import type { Word, WordDomain } from '../../src/word.ts';
import { actors, makeJwt, type NoteSigner, origin, type Signer, signWord } from './actors.ts';
import { type Delegate, type Terms, tellDelegation } from './delegation.ts';
import { tellDeployment } from './deployment.ts';
import { type Draft, LogMaker, type Recorded } from './log-maker.ts';
import { commit, definition, digestOf, engine, executable, spiffe, start, zero } from './props.ts';
import { tellReconciliation } from './reconciliation.ts';

/** The agent's call before token and proof are made. */
export interface CallDraft {
  readonly step: string;
  message: string;
  token: Record<string, unknown>;
  tokenSigner: Signer;
  proof: Record<string, unknown>;
  proofSigner: Signer;
}

/** A person's word before it is signed. */
export interface WordDraft {
  readonly step: string;
  bytes: Uint8Array;
  signer: Signer;
  /** How it is signed, if otherwise than by the signer's P-256 key. */
  sign?: (domain: WordDomain, bytes: Uint8Array) => Word;
}

/** How a test bends the story. Each hook is called for every step. */
export interface Bend {
  draft?(draft: Draft, story: Story): void;
  call?(call: CallDraft, story: Story): void;
  word?(word: WordDraft, story: Story): void;
  /** The action record of each call before its digest is taken. */
  record?(record: ActionRecord, story: Story): ActionRecord;
  /** On whose behalf the task runs. */
  principal?(principal: Readonly<Record<string, unknown>>, story: Story): Readonly<Record<string, unknown>>;
  /** After each statement: the place to slip in others. */
  after?(recorded: Recorded, story: Story): void;
  /** The tree size of the push's anchor, and who signed it. */
  anchor?(story: Story): { readonly size?: number; readonly signers?: readonly NoteSigner[] };
  /** Each record of the forge before it is hashed. */
  event?(push: ForgePush): ForgePush;
  /** The members before the export lists them: what a dishonest operator can do. */
  files?(files: Map<string, Uint8Array>, story: Story): void;
  /** Who cosigns the two checkpoints of the export. Default: the witness. */
  witnesses?: readonly NoteSigner[];
  /** Which log keys sign them. Default: all. */
  logKeys?: readonly NoteSigner[];
  /** The keys that the log has. Default: Ed25519 and ML-DSA-44. */
  logs?: readonly NoteSigner[];
  /** What the task allows. Default: {@link wide}. */
  allow?: Allow;
  /** The rules in identities.json of its policy. Default: there is none. */
  trustRules?(story: Story): readonly object[];
  /** What is passed on to a delegate. */
  terms?(delegate: Delegate, terms: Terms): Terms;
  /** What of the story is told. Default: all of it. */
  parts?: readonly Part[];
}

/** The one entry of what the task allows. */
export const wide: AllowEntry = {
  server: 'files',
  paths: { under: ['/srv/site'] },
  git: { repositories: ['site'], refs: ['refs/heads/main'] },
};

export interface ForgePush {
  readonly time: string;
  readonly requestId: string;
  readonly user: string;
  readonly repository: string;
  readonly to: string;
}

export const parts = ['read', 'write', 'denied', 'push', 'replay', 'reconciled'] as const;
/** What is told beside them only where it is asked for. */
export type Part = (typeof parts)[number] | 'delegated';

/** Who acts: an agent, its key, and how its token and its statements name the line that leads to it. */
export interface Holder {
  readonly agent: string;
  readonly signer: Signer;
  readonly spiffe: string;
  readonly act: unknown;
  /** Digests of the acceptances. */
  readonly chain: readonly string[];
  /** What was passed on; absent: what the task allows. */
  readonly allow?: Allow;
}

interface Act {
  readonly name: string;
  readonly tier: Tier;
  readonly tool: ToolRef;
  readonly arguments: Record<string, unknown>;
  readonly operands: Operands;
}

/** One honest task from the first key to its reconciliation, told step by step into a log. */
export class Story {
  readonly log: LogMaker;
  readonly said = new Map<string, Recorded>();
  readonly task = newId('task', start);
  readonly agent = newId('agent', start);
  readonly person = newId('person', start);
  /** On whose behalf the task runs; a person who approves nothing of it. */
  readonly requester = newId('person', start);
  readonly grant = newId('grant', start);
  readonly credential = newId('credential', start);
  readonly blind = randomBytes(16);
  readonly blinded = blindCredential(this.blind, this.credential);
  readonly jkt = jwkThumbprint(actors.agent.spki);
  readonly actions: Readonly<Record<string, string>> = Object.fromEntries(
    ['read', 'write', 'denied', 'push', 'replay', 'worker', 'sub'].map((name) => [name, newId('action', start)]),
  );
  bundle = '';
  objective: PayloadRef | undefined;
  readonly evidence = new Map<string, PayloadRef>();
  readonly records = new Map<string, PayloadRef>();
  /** Who acts in a step, if not the task's own agent. */
  readonly holders = new Map<string, Holder>();
  readonly bend: Bend;
  readonly logs: readonly NoteSigner[];
  readonly allow: Allow;

  constructor(bend: Bend = {}) {
    this.bend = bend;
    this.logs = bend.logs ?? actors.logs;
    this.allow = bend.allow ?? [wide];
    this.log = new LogMaker(start, (draft) => bend.draft?.(draft, this), this.logs);
  }

  /** Digest of the statement that a step made. */
  digest(step: string): string {
    return this.said.get(step)?.digest ?? '0'.repeat(64);
  }

  record(fields: Parameters<LogMaker['record']>[0]): Recorded {
    const recorded = this.log.record(fields);
    this.said.set(fields.step, recorded);
    this.bend.after?.(recorded, this);
    return recorded;
  }

  tell(): this {
    tellDeployment(this);
    this.open();
    const told = this.bend.parts ?? parts;
    if (told.includes('read')) this.observed('read');
    if (told.includes('write')) this.written('write');
    if (told.includes('delegated')) tellDelegation(this);
    if (told.includes('denied')) this.denied('denied');
    if (told.includes('push')) this.pushed('push');
    if (told.includes('replay')) this.replayed('replay');
    this.closed();
    if (told.includes('reconciled')) tellReconciliation(this);
    return this;
  }

  private open(): void {
    const { log } = this;
    this.objective = log.payload('Mend the broken link in docs/index.md and push it.', 'text/plain');
    const principal = { v: 1, kind: 'person', id: this.requester, authenticated: 'es256 key', how: 'socket' };
    this.record({
      step: 'opened',
      predicate: 'task-opened',
      place: { task: this.task, chain: 'seq' },
      subject: { name: `task:${this.task}`, sha256: this.objective.sha256 },
      body: {
        objective: this.objective,
        principal: log.payload(
          JSON.stringify(this.bend.principal?.(principal, this) ?? principal),
          'application/vnd.deed.principal+json',
        ),
        agent: {
          id: this.agent,
          spiffe,
          definition: digestOf('the configuration of the agent'),
          jkt: this.jkt,
          enrolled: this.digest('agent'),
        },
        allow: log.payload(JSON.stringify(this.allow), 'application/vnd.deed.allow+json'),
        ceiling: 'approve',
        budget: { actions: 100 },
        deadline: '2026-11-22T18:00:00.000Z',
        depth: 2,
        grant: this.digest('grant'),
        policy: this.digest('policy'),
        credentials: [{ broker: 'forge', blinded: this.blinded, debt: 'none' }],
        implicit: false,
      },
    });
  }

  private observed(name: string): void {
    this.intent({
      name,
      tier: 'observe',
      tool: this.toolOf('read_file'),
      arguments: { path: '/srv/site/docs/index.md' },
      operands: { kind: 'none' },
    });
    this.outcome(name, { result: this.log.payload('{"content":[]}', 'application/json', false) });
  }

  /** The task's own agent. */
  get own(): Holder {
    return { agent: this.agent, signer: actors.agent, spiffe, act: { sub: spiffe }, chain: [] };
  }

  written(name: string): void {
    this.intent({
      name,
      tier: 'record',
      tool: this.toolOf('write_file'),
      arguments: { path: 'docs/index.md', content: 'mended' },
      operands: {
        kind: 'paths',
        paths: [{ argument: 'path', given: 'docs/index.md', real: '/srv/site/docs/index.md' }],
      },
    });
    this.outcome(name, { result: this.log.payload('{"content":[{"type":"text","text":"ok"}]}', 'application/json') });
  }

  private denied(name: string): void {
    const act: Act = {
      name,
      tier: 'record',
      tool: this.toolOf('delete_file'),
      arguments: { path: '/etc/passwd' },
      operands: { kind: 'paths', paths: [{ argument: 'path', given: '/etc/passwd', real: '/etc/passwd' }] },
    };
    const record = this.actionRecord(act);
    this.record({
      step: `${name}:refusal`,
      predicate: 'refusal',
      place: { task: this.task, chain: 'seq' },
      subject: { name: `action:${this.actions[name]}`, sha256: record.sha256 },
      ...this.acted,
      body: {
        action: this.actions[name],
        record,
        method: 'tools/call',
        tool: act.tool,
        reason: 'denied',
        detail: 'no policy permits it',
        authority: this.authority(act, true),
        decision: { ...this.decision(name, true), outcome: 'deny', reasons: [] },
        cites: null,
        approvals: [],
        rejection: null,
        edit: null,
      },
    });
  }

  private pushed(name: string): void {
    const { log } = this;
    const act: Act = {
      name,
      tier: 'approve',
      tool: this.toolOf('git_push'),
      arguments: { remote: 'origin', branch: 'main' },
      operands: {
        kind: 'git-push',
        remote: 'origin',
        url: 'http://127.0.0.1:7070/site.git',
        repository: 'site',
        updates: [{ ref: 'refs/heads/main', old: zero, new: commit('a'), kind: 'create' }],
        rejected: [],
        commits: 1,
        log: [{ id: commit('a'), subject: 'Mend the link' }],
        diffstat: ' docs/index.md | 2 +-\n',
      },
    };
    const action = this.actions[name] ?? '';
    const record = this.actionRecord(act);
    const rendering = log.payload('push 1 commit to site refs/heads/main', 'text/plain');
    const word = encodeApproval({
      decision: 'approve',
      origin,
      task: this.task,
      action,
      record: record.sha256,
      rendering: rendering.sha256,
      person: this.person,
      nonce: '00112233445566778899aabbccddeeff',
      notBefore: this.time(),
      expires: this.time(600_000),
      arguments: null,
    });
    const decision = { ...this.decision(name, true), quorum: { people: 1, grade: 'A0' } } satisfies Decision;
    const approval = this.record({
      step: `${name}:approval`,
      predicate: 'approval',
      place: { task: this.task, chain: 'seq' },
      subject: { name: `action:${action}`, sha256: record.sha256 },
      ...this.acted,
      body: {
        action,
        record,
        rendering,
        person: { id: this.person, enrolled: this.digest('person') },
        approval: this.signed(name, 'deed-approval-v1', word),
        grade: 'A1',
        reported: null,
        decision,
      },
    });
    const intent = this.intent(act, [approval.digest], decision);
    const { size = log.size, signers = [...this.logs, actors.witness] } = this.bend.anchor?.(this) ?? {};
    const anchor = log.checkpoint(size, signers);
    if (size > intent.index) log.files.set(members.anchorProof(intent.index), log.proof(intent.index, anchor));
    const effect = { kind: 'git-ref', repository: 'site', ref: 'refs/heads/main', old: zero, new: commit('a') };
    const effects = { v: 1, effects: [{ ...effect, status: 'ok', request: 'req-1' }] };
    this.outcome(name, {
      result: log.payload('{"content":[{"type":"text","text":"pushed"}]}', 'application/json'),
      effects: log.payload(JSON.stringify(effects), 'application/vnd.deed.effects+json'),
      anchor: { size: anchor.size, root: anchor.root, note: digestOf(anchor.note) },
    });
  }

  /** The same token, proof and message once more: one refusal, which cites the first use. */
  private replayed(name: string): void {
    const evidence = this.evidence.get('write');
    this.record({
      step: `${name}:refusal`,
      predicate: 'refusal',
      place: { task: this.task, chain: 'seq' },
      subject: { name: `action:${this.actions[name]}`, sha256: evidence?.sha256 ?? '' },
      ...this.acted,
      body: {
        action: this.actions[name],
        record: null,
        method: 'tools/call',
        tool: null,
        reason: 'proof-replayed',
        detail: 'the proof of this message was used before',
        authority: { pop: 'shim', evidence, chain: [], grant: this.digest('grant'), unearned: false },
        decision: null,
        cites: this.digest('write:intent'),
        approvals: [],
        rejection: null,
        edit: null,
      },
    });
  }

  private closed(): void {
    const n = this.log.head(this.task)?.n ?? 0;
    this.record({
      step: 'closed',
      predicate: 'task-closed',
      place: { task: this.task, chain: 'seq' },
      subject: { name: `task:${this.task}`, sha256: this.objective?.sha256 ?? '' },
      body: {
        reason: 'principal',
        count: n + 2,
        outputs: this.delivered(),
        open: [],
        debts: [],
      },
    });
  }

  /** What the push really delivered, as its outcome was recorded. */
  private delivered(): readonly Output[] {
    const outcome = this.said.get('push:outcome');
    const statement = outcome && this.read(outcome);
    const effects = statement?.predicate === 'outcome' ? statement.body.effects : null;
    const object = effects && this.log.files.get(members.payload(effects.sha256));
    return object ? deliveredBy(object.subarray(saltSize)) : [];
  }

  /** The statement, or undefined where a bend made it none. */
  private read({ envelope }: Recorded): Statement | undefined {
    try {
      return parseStatement(envelope.payload);
    } catch {
      return undefined;
    }
  }

  private readonly acted = {
    observed: 'gateway-observed',
    separation: { agent: 'other-uid', tool: 'other-uid' },
  } as const;

  toolOf(name: string): ToolRef {
    return { server: 'files', name, definition: definition(name), executable };
  }

  private actionRecord(act: Act): PayloadRef {
    const known = this.records.get(act.name);
    if (known) return known;
    const record: ActionRecord = {
      v: 1,
      action: this.actions[act.name] ?? '',
      task: this.task,
      method: 'tools/call',
      server: act.tool.server,
      tool: act.tool.name,
      definition: act.tool.definition,
      executable: act.tool.executable,
      arguments: JSON.stringify(act.arguments),
      operands: act.operands,
      author: null,
    };
    const bytes = encodeActionRecord(this.bend.record?.(record, this) ?? record);
    const ref = this.log.payload(bytes, 'application/vnd.deed.action+json', act.tier !== 'observe');
    this.records.set(act.name, ref);
    return ref;
  }

  private intent(act: Act, approvals: readonly string[] = [], decision?: Decision): Recorded {
    const kept = act.tier !== 'observe';
    const record = this.actionRecord(act);
    return this.record({
      step: `${act.name}:intent`,
      predicate: 'intent',
      place: { task: this.task, chain: 'seq' },
      subject: { name: `action:${this.actions[act.name]}`, sha256: record.sha256 },
      ...this.acted,
      body: {
        action: this.actions[act.name],
        record,
        tier: act.tier,
        method: 'tools/call',
        tool: act.tool,
        authority: this.authority(act, kept),
        decision: decision ?? this.decision(act.name, kept),
        approvals,
      },
    });
  }

  private outcome(name: string, body: Record<string, unknown>): Recorded {
    return this.record({
      step: `${name}:outcome`,
      predicate: 'outcome',
      place: { task: this.task, chain: 'seq' },
      subject: { name: `action:${this.actions[name]}`, sha256: this.records.get(name)?.sha256 ?? '' },
      ...this.acted,
      body: {
        action: this.actions[name],
        intent: this.digest(`${name}:intent`),
        status: 'ok',
        result: null,
        effects: null,
        anchor: null,
        supersedes: null,
        ...body,
      },
    });
  }

  private decision(name: string, kept: boolean): Decision {
    const inputs = JSON.stringify({ v: 1, bundle: this.bundle, requests: [{ action: this.actions[name] }] });
    return {
      outcome: 'allow',
      engine,
      bundle: this.bundle,
      reasons: ['policy0'],
      errors: [],
      inputs: this.log.payload(inputs, 'application/vnd.deed.decision+json', kept),
      quorum: null,
    };
  }

  private authority(act: Act, kept: boolean) {
    const holder = this.holders.get(act.name) ?? this.own;
    const params = { name: act.tool.name, arguments: act.arguments };
    const message = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params });
    const evidence = this.shown(act.name, () => message, holder, kept, act.tier === 'approve');
    const unearned = act.tier === 'approve';
    return { pop: 'shim', evidence, chain: holder.chain, grant: this.digest('grant'), unearned };
  }

  /** Token and proof for a message, which may speak of the token. */
  shown(step: string, say: (token: string) => string, holder: Holder, kept = true, fresh = false): PayloadRef {
    const seconds = Math.floor(this.log.nowMs / 1000);
    const hop = holder.chain.at(-1);
    const call: CallDraft = {
      step,
      message: '',
      token: {
        iss: origin,
        aud: origin,
        sub: this.person,
        act: holder.act,
        task: this.task,
        ...(hop === undefined ? {} : { hop }),
        epoch: 0,
        obj: this.objective?.sha256,
        cnf: { jkt: jwkThumbprint(holder.signer.spki) },
        authorization_details: (holder.allow ?? this.allow).map((entry) => ({ type: 'deed-actions', ...entry })),
        policy: this.bundle,
        grant: this.digest('grant'),
        jti: toBase64Url(randomBytes(16)),
        iat: seconds,
        exp: seconds + 300,
      },
      tokenSigner: actors.token,
      proof: {
        ...{ aud: origin, jti: toBase64Url(randomBytes(16)), iat: seconds, exp: seconds + 60 },
        ...(fresh ? { nonce: toBase64Url(randomBytes(16)) } : {}),
      },
      proofSigner: holder.signer,
    };
    call.message = say('');
    this.bend.call?.(call, this);
    const token = makeJwt(call.tokenSigner, 'deed-task+jwt', call.token);
    const said = say(token);
    if (call.message === '') call.message = said;
    const bound = { ath: b64(token), deed_bdh: b64(call.message), ...call.proof };
    const proof = makeJwt(call.proofSigner, 'wpt+jwt', bound);
    const evidence = this.log.payload(
      JSON.stringify({ v: 1, token, proof, message: call.message }),
      'application/vnd.deed.token-proof+json',
      kept,
    );
    this.evidence.set(step, evidence);
    return evidence;
  }

  signed(step: string, domain: WordDomain, bytes: Uint8Array, signer: Signer = actors.person) {
    const draft: WordDraft = { step, bytes, signer };
    this.bend.word?.(draft, this);
    return draft.sign?.(domain, draft.bytes) ?? signWord(domain, draft.bytes, draft.signer);
  }

  time(laterMs = 0): string {
    return new Date(this.log.nowMs + laterMs).toISOString();
  }
}

function b64(text: string): string {
  return toBase64Url(sha256(utf8(text)));
}

function deliveredBy(bytes: Uint8Array): readonly Output[] {
  try {
    return outputsOf(parseEffects(bytes));
  } catch {
    return []; // a bend made them unreadable
  }
}
