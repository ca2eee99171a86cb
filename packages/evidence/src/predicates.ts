import { z } from 'zod';
import { fromBase64 } from './encoding.ts';
import { idPattern } from './ids.ts';

/** Lower-case hex SHA-256. Which bytes it covers is said where it is used. */
export const sha256Hex = z.string().regex(/^[0-9a-f]{64}$/);
const base64 = z.string().refine((text) => {
  try {
    return fromBase64(text).length > 0;
  } catch {
    return false;
  }
}, 'canonical base64');
export const timestamp = z
  .string()
  .regex(/^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$/)
  .refine((text) => {
    const ms = Date.parse(text);
    return Number.isFinite(ms) && new Date(ms).toISOString() === text;
  }, 'a real point in time');
export const count = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const name = z.string().min(1).max(512);
const id = (kind: Parameters<typeof idPattern>[0]) => z.string().regex(idPattern(kind));

export const tiers = ['observe', 'record', 'attest', 'approve'] as const;
export const tier = z.enum(tiers);
export type Tier = z.infer<typeof tier>;

/** Who saw it, weakest first. */
export const observers = [
  'self-reported',
  'hook',
  'gateway-observed',
  'gateway-executed',
  'downstream-confirmed',
] as const;
export const observed = z.enum(observers);
export type Observed = z.infer<typeof observed>;

/** How far two parties of an act are apart, as the server measured it; `none`: no such party took part. */
export const distance = z.enum(['same-uid', 'other-uid', 'other-host', 'none']);
/** agent/server and tool/server. */
export const separation = z.strictObject({ agent: distance, tool: distance });
export type Separation = z.infer<typeof separation>;

/** Points to a payload object by its name. `kept: false`: only the digest was wanted (tier observe). */
export const payloadRef = z.strictObject({ sha256: sha256Hex, size: count, type: name, kept: z.boolean() });
export type PayloadRef = z.infer<typeof payloadRef>;

export const word = z.strictObject({
  bytes: base64,
  signature: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.enum(['es256', 'sshsig']), key: base64, sig: base64 }),
    z.strictObject({
      kind: z.literal('webauthn'),
      key: base64,
      sig: base64,
      authenticatorData: base64,
      clientDataJSON: base64,
    }),
  ]),
});

/** `es256` and `webauthn` (a passkey): SPKI DER. `sshsig`: SSH wire form. */
export const personKey = z.strictObject({ kind: z.enum(['es256', 'sshsig', 'webauthn']), public: base64 });
export type PersonKey = z.infer<typeof personKey>;
export const personRole = z.enum(['operator', 'approver', 'auditor']);
export type PersonRole = z.infer<typeof personRole>;
export const personRoles = z
  .array(personRole)
  .min(1)
  .refine((roles) => new Set(roles).size === roles.length, 'each role once');
export const personChange = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('key-added'), key: personKey }),
  z.strictObject({ kind: z.literal('key-removed'), key: personKey }),
  z.strictObject({ kind: z.literal('roles'), roles: personRoles }),
  z.strictObject({ kind: z.literal('removed') }),
]);
/** The words of those who ordered a change among the people: an operator's, and where it takes two people another's. */
const peopleOrder = z.strictObject({ words: z.array(word).min(1).max(2), alone: z.boolean() });
/** How many hops may stand behind one another. */
export const maxDepth = 16;

/** How strongly an approval is bound to a person, weakest first: {@link gradeOf} says by which rule. */
export const approvalGrades = ['A0', 'A1', 'A2'] as const;
export const approvalGrade = z.enum(approvalGrades);
export type ApprovalGrade = z.infer<typeof approvalGrade>;
/** How many people may be asked for, and so how many approvals an action may have. */
export const maxApprovers = 9;

const engine = z.strictObject({ name, version: name, sha256: sha256Hex });
const decision = z.strictObject({
  outcome: z.enum(['allow', 'deny']),
  engine,
  /** Digest of the policy bundle's manifest. */
  bundle: sha256Hex,
  /** Ids of the policies that determined the outcome, sorted. */
  reasons: z.array(name),
  errors: z.array(name),
  /** The exact evaluation requests, in order, so that the decision replays. */
  inputs: payloadRef,
  /** What approval it takes: that many people, each at this grade or above. Null unless it is allowed at tier approve. */
  quorum: z.strictObject({ people: count.min(1).max(maxApprovers), grade: approvalGrade }).nullable(),
});
const authority = z.strictObject({
  /** How possession of the agent's key was shown for this very call. */
  pop: z.enum(['shim', 'agent', 'none']),
  /** The token and the proof, verbatim; null without a token (implicit task). */
  evidence: payloadRef.nullable(),
  /** Digests of the hop-accepted statements from the first hop to the one who acts; empty for the task's own agent. */
  chain: z.array(sha256Hex).max(maxDepth),
  /** Digest of the grant-decision in force. */
  grant: sha256Hex,
  /** True when this runs above what the grant was earned for. */
  unearned: z.boolean(),
});
const agent = z.strictObject({
  id: id('agent'),
  spiffe: name,
  definition: sha256Hex.nullable(),
  jkt: name,
  /** Digest of the agent-enrolled. */
  enrolled: sha256Hex,
});
const tool = z.strictObject({
  server: name,
  name,
  /** SHA-256 of the exact bytes of the tool's definition; null for methods that have none. */
  definition: sha256Hex.nullable(),
  /** Digest over the registered program's files. */
  executable: sha256Hex,
});
const eventRef = z.strictObject({
  source: name,
  /** Digest of the events-ingested statement. */
  batch: sha256Hex,
  /** Name of the event's payload object. */
  event: sha256Hex,
});

export const refusalReasons = [
  'denied', // policy said no
  'outside-grant', // not among the task's allowed actions, or over its budget
  'rejected', // a person said no
  'edited', // a person proposed other arguments: another action has them
  'expired', // nobody answered in time
  'cancelled', // the caller cancelled or went away while it was held
  'operands-changed', // what would run is no longer what was approved
  'stale-proof', // tier approve asks for a proof with a nonce of the server
  'proof-replayed', // the proof was used before
  'task-closed', // the task was no longer open
  'tool-unknown', // the tool is not offered by the registered server
  'tool-changed', // its definition is not the pinned one
  'unwitnessed', // no cosigned checkpoint covered the intent in time
] as const;
export type RefusalReason = (typeof refusalReasons)[number];

export const promptLinks = [
  'exact', // the client says the model's id of the call, and the model asked for this call
  'inferred', // the client says no id, and this is the one call that the model asked for like it
  'ambiguous', // the client says no id, and the model asked for several such calls
  'altered', // the client says the model's id, but the model asked for another call
] as const;
export type PromptLink = (typeof promptLinks)[number];

/** What a person may say of a finding. */
export const findingStates = ['open', 'explained', 'accepted', 'resolved'] as const;
export const findingTypes = [
  'hidden_side_effect',
  'phantom_action',
  'result_mismatch',
  'scope_excess',
  'off_objective',
  'use_after_close',
  'unknown_credential',
  'duplicate_execution',
  'missing_coverage',
  'ambiguous',
] as const;
export type FindingType = (typeof findingTypes)[number];

export const agentKinds = ['agent', 'pipeline', 'service'] as const;
export type AgentKind = (typeof agentKinds)[number];

export const keyRoles = ['root', 'registrar', 'receipt', 'token', 'log'] as const;
export type KeyRole = (typeof keyRoles)[number];

/** The fields of each predicate, after the header. One entry a statement type; docs/formats/predicates.md explains them. */
export const predicates = {
  'key-event': z.strictObject({
    event: z.enum(['add', 'end', 'compromised']),
    key: z.strictObject({
      role: z.enum(keyRoles),
      alg: z.enum(['ES256', 'Ed25519', 'ML-DSA-44']),
      /** SPKI DER. */
      spki: base64,
      /** Hex SHA-256 of the SPKI. */
      keyid: sha256Hex,
      /** The note verifier key, for log keys; null for others. */
      vkey: z.string().min(1).max(4096).nullable(),
    }),
    /** The log index from which this holds. */
    from: count,
  }),
  'person-enrolled': z.strictObject({
    person: id('person'),
    key: personKey,
    roles: personRoles,
    /** Absent for the first person alone. */
    order: peopleOrder.optional(),
  }),
  'person-changed': z.strictObject({ person: id('person'), change: personChange, order: peopleOrder }),
  'agent-enrolled': z.strictObject({
    agent: id('agent'),
    kind: z.enum(agentKinds),
    /** `spiffe://<trust domain>/agent/<name>`, and `/<definition>` if there is one: another definition is another subject. */
    spiffe: z.string().regex(/^spiffe:\/\/[a-z0-9._-]+\/agent\/[A-Za-z0-9][A-Za-z0-9._-]{0,62}(\/[0-9a-f]{64})?$/),
    /** Digest of the declared configuration (model, prompt, tools, artifact); null if none was declared. */
    definition: sha256Hex.nullable(),
    key: z.strictObject({ alg: z.literal('ES256'), spki: base64, jkt: z.string().regex(/^[A-Za-z0-9_-]{43}$/) }),
    how: z.enum(['one-time-code', 'workload-token']),
    /** The workload token and what verified it; null with a one-time code. */
    evidence: payloadRef.nullable(),
    /** Digest of the policy-activated whose rules admitted it; null with a one-time code. */
    policy: sha256Hex.nullable(),
    /** The person who answers for it, and so approves nothing that it does; null if none was named. */
    owner: id('person').nullable(),
  }),
  revoked: z.strictObject({
    what: z.enum(['agent', 'name']),
    /** The agent's id, or the name under which agents enrolled. */
    id: z.union([id('agent'), z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/)]),
    reason: name,
  }),
  'policy-activated': z.strictObject({
    /** SHA-256 of the manifest below in its one byte form. */
    bundle: sha256Hex,
    files: z.array(z.strictObject({ path: name, sha256: sha256Hex })).min(1),
    version: count,
    engine,
    person: id('person'),
    activation: word,
  }),
  'tool-pinned': z.strictObject({
    server: name,
    tool: name,
    definition: sha256Hex,
    executable: sha256Hex,
    how: z.enum(['first-sight', 'accepted']),
    /** The definition that was pinned before, if any. */
    previous: sha256Hex.nullable(),
  }),
  'grant-decision': z.strictObject({
    grant: id('grant'),
    verdict: z.enum(['GRANTED', 'DENIED', 'WAIVED', 'RENEWED', 'REVOKED']),
    /** Whom it is for: one agent, or `*` for each agent of this deployment. */
    agent: z.union([z.literal('*'), id('agent')]),
    capability: name,
    grade: z.enum(['E0', 'E1', 'E2', 'E3', 'E4', 'E5']),
    ceiling: tier,
    expires: timestamp,
    reason: name,
  }),
  'task-opened': z.strictObject({
    objective: payloadRef,
    /** On whose behalf, and how that was authenticated. */
    principal: payloadRef,
    agent: agent.nullable(),
    /** The allowed actions and their constraints. */
    allow: payloadRef,
    ceiling: tier,
    budget: z.strictObject({ actions: count }),
    deadline: timestamp,
    /** How many hops may stand behind one another; 0: it is not passed on. */
    depth: count.max(maxDepth),
    grant: sha256Hex,
    /** Digest of the policy-activated statement in force. */
    policy: sha256Hex,
    /** `static`: a secret that every task is handed and the task's end does not revoke. */
    credentials: z.array(z.strictObject({ broker: name, blinded: sha256Hex, debt: z.enum(['none', 'static']) })),
    implicit: z.boolean(),
  }),
  hop: z.strictObject({
    delegator: agent,
    delegate: agent,
    /** Digest of the hop-accepted by which the delegator holds what it passes on; null for the task's own agent. */
    parent: sha256Hex.nullable(),
    /** The delegator's task token, its proof, and the bytes of the word, verbatim. */
    evidence: payloadRef,
    /** The allowed actions that are passed on. */
    allow: payloadRef,
    ceiling: tier,
    budget: z.strictObject({ actions: count }),
    deadline: timestamp,
    /** How many hops may follow. */
    depth: count.max(maxDepth),
    word,
  }),
  'hop-accepted': z.strictObject({
    /** Digest of the hop. */
    hop: sha256Hex,
    delegate: id('agent'),
    /** Digest of the grant-decision in force for the delegate. */
    grant: sha256Hex,
    word,
  }),
  'hop-ended': z.strictObject({
    /** Digest of the hop. */
    hop: sha256Hex,
    by: z.enum(['delegator', 'operator']),
    /** The delegator's; null if an operator ended it. */
    word: word.nullable(),
  }),
  approval: z.strictObject({
    action: id('action'),
    record: payloadRef,
    rendering: payloadRef,
    person: z.strictObject({ id: id('person'), enrolled: sha256Hex }),
    approval: word,
    grade: approvalGrade,
    /** What the approver's own client says of the reading: a claim, never a proof. Null if it said nothing. */
    reported: z
      .strictObject({
        /** How long it was on the screen, in milliseconds. */
        shownMs: count,
        /** How much of it was scrolled into view, in percent. */
        seenPercent: count.max(100),
      })
      .nullable(),
    decision,
  }),
  intent: z.strictObject({
    action: id('action'),
    /** The action record. Its name is the action digest. */
    record: payloadRef,
    tier,
    method: name,
    tool,
    authority,
    decision,
    /** Digests of the approval statements that this consumes, in the order in which they were given. */
    approvals: z.array(sha256Hex).max(maxApprovers),
    /** The prompt that led to it, as far as the model relay saw one; absent: nothing is known of any. */
    prompt: z
      .strictObject({
        link: z.enum(promptLinks),
        /** The model's own id of the call, or its place in the answer; null where several calls fit. */
        call: name.nullable(),
        /** What passed between the agent and its model; null where what fits is in several exchanges. */
        exchange: payloadRef.nullable(),
      })
      .optional(),
    /** Where its caller says that it stands in a trace (W3C): a claim, to join by. Absent: it says nothing. */
    trace: z
      .strictObject({ traceId: z.string().regex(/^[0-9a-f]{32}$/), spanId: z.string().regex(/^[0-9a-f]{16}$/) })
      .optional(),
  }),
  outcome: z.strictObject({
    action: id('action'),
    intent: sha256Hex,
    status: z.enum(['ok', 'error', 'unknown']),
    /** The exact bytes of the answer; null if none came. */
    result: payloadRef.nullable(),
    /** What the gateway itself saw happen at the resource; null if it could not see. */
    effects: payloadRef.nullable(),
    /** The cosigned checkpoint that covered the intent before dispatch (tier approve). */
    anchor: z.strictObject({ size: count, root: sha256Hex, note: sha256Hex }).nullable(),
    /** The `unknown` outcome that this one settles. */
    supersedes: sha256Hex.nullable(),
  }),
  refusal: z.strictObject({
    action: id('action'),
    record: payloadRef.nullable(),
    method: name,
    tool: tool.nullable(),
    reason: z.enum(refusalReasons),
    detail: z.string().max(2000),
    authority: authority.nullable(),
    decision: decision.nullable(),
    /** The intent it ends, or for a replay the statement that the proof was first used for. */
    cites: sha256Hex.nullable(),
    /** The approvals that stay consumed. */
    approvals: z.array(sha256Hex).max(maxApprovers),
    /** A person's signed rejection or edit. */
    rejection: word.nullable(),
    /** The arguments that the edit asks for. */
    edit: payloadRef.nullable(),
  }),
  'task-closed': z.strictObject({
    reason: z.enum(['principal', 'operator', 'budget', 'deadline', 'disconnect', 'idle']),
    /** Statements in `seq`, this one included. */
    count,
    outputs: z.array(z.strictObject({ name, digest: z.record(name, z.string().regex(/^[0-9a-f]{40,128}$/)) })),
    /** Intents whose outcome will follow in `after`. */
    open: z.array(sha256Hex),
    /** Brokers whose static secret the task was handed: closing it revoked nothing there. */
    debts: z.array(name),
  }),
  'prompt-confirmed': z.strictObject({
    action: id('action'),
    intent: sha256Hex,
    /** The model's own id of the call, as the next turn tells it. */
    call: name,
    /** The exchange in which the model was told the result of that call. */
    exchange: payloadRef,
  }),
  'observe-gap': z.strictObject({ since: timestamp, detail: name }),
  'effects-declared': z.strictObject({
    server: name,
    /** The contract, verbatim: what the calls of the server's tools are to leave in the records of other systems. */
    contract: payloadRef,
  }),
  'events-ingested': z.strictObject({
    source: name,
    reader: z.strictObject({
      name,
      version: name,
      /** The mapping by which its records were read, verbatim. Absent: the reader has a rule of its own. */
      mapping: payloadRef.optional(),
    }),
    batch: z.strictObject({ root: sha256Hex, credentials: count, events: count }),
    position: z.strictObject({ from: name, to: name }),
    watermark: timestamp,
    coverage: z.array(name),
    problems: z.array(name),
    /** Stretches of the source's time of which records are missing. Absent: none is known. */
    gaps: z
      .array(z.strictObject({ from: timestamp, to: timestamp }))
      .min(1)
      .max(50)
      .optional(),
  }),
  finding: z.strictObject({
    finding: id('finding'),
    type: z.enum(findingTypes),
    severity: z.enum(['low', 'medium', 'high', 'critical']),
    why: z.string().min(1).max(2000),
    todo: z.string().min(1).max(2000),
    statements: z.array(sha256Hex),
    events: z.array(eventRef),
    credential: sha256Hex.nullable(),
  }),
  'finding-changed': z.strictObject({
    finding: id('finding'),
    state: z.enum([...findingStates, 'superseded']),
    /** Until when the risk is accepted. */
    until: timestamp.nullable(),
    reason: name,
    /** The operator who says so; null: the server, because of what it cites. */
    by: id('person').nullable(),
    /** Digest of the confirmed that explains since what the finding missed. */
    cites: sha256Hex.nullable(),
    word: word.nullable(),
  }),
  confirmed: z.strictObject({
    action: id('action'),
    outcome: sha256Hex,
    events: z.array(eventRef).min(1),
    how: z.enum(['exact', 'compared', 'counted']),
    key: z.array(name).min(1),
    /** Digest of the effects-declared by which it was expected. Absent: by the commit ids of a push. */
    contract: sha256Hex.optional(),
    /** By how much the clock of the source was taken to differ at the most, in milliseconds. Beside `contract`. */
    skewMs: count.optional(),
  }),
  reconciled: z.strictObject({
    rules: name,
    sources: z.array(
      z.strictObject({
        source: name,
        /** Head of the source's series that was taken into account. */
        head: sha256Hex.nullable(),
        watermark: timestamp,
        coverage: z.array(name),
        problems: z.array(name),
      }),
    ),
    confirmed: count,
    pending: count,
    findings: z.array(z.strictObject({ finding: id('finding'), type: z.enum(findingTypes) })),
    /** Events that tools leave behind beside their calls, as their contracts say. Absent: none. */
    ambient: z.array(eventRef).min(1).max(10_000).optional(),
  }),
  'case-exported': z.strictObject({
    case: id('case'),
    tasks: z.array(id('task')).min(1),
    heads: z.array(z.strictObject({ series: name, n: count, digest: sha256Hex })).min(1),
    size: count,
    members: z.array(z.strictObject({ name, sha256: sha256Hex })).min(1),
    /** Payload objects that are left out, and why. */
    left: z.array(z.strictObject({ payload: sha256Hex, how: z.enum(['withheld', 'erased']), reason: name })),
  }),
  erased: z.strictObject({
    /** `task`: the task's key as well, and so whatever of it rests anywhere else in this data folder. */
    scope: z.enum(['task', 'payloads']),
    /** Names of the payload objects and events that were destroyed, sorted. */
    payloads: z.array(sha256Hex),
    by: z.union([
      z.strictObject({ kind: z.literal('person'), person: id('person') }),
      z.strictObject({ kind: z.literal('retention'), tier, days: count.min(1) }),
    ]),
    why: name,
    /** Cases that were exported before and hold copies. */
    copies: z.array(id('case')),
  }),
  hold: z.strictObject({
    hold: id('hold'),
    act: z.enum(['placed', 'released']),
    person: id('person'),
    reason: name,
    word,
  }),
  'configuration-stated': z.strictObject({
    /** The exact bytes of config.json. */
    config: payloadRef,
    /** Each registered tool server, and each source, as its row stands. */
    tools: z.array(z.strictObject({ name, registration: payloadRef })),
    sources: z.array(z.strictObject({ name, registration: payloadRef })),
  }),
  administered: z.strictObject({
    /** Method and route. */
    act: name,
    /** The id in the route; null where it has none. */
    target: name.nullable(),
    /** How the caller was known: he reached the unix socket of the server. */
    by: z.enum(['socket']),
    /** The exact bytes of the request. */
    request: payloadRef,
  }),
  'rejects-counted': z.strictObject({
    since: timestamp,
    until: timestamp,
    counts: z.array(z.strictObject({ code: name, count })).min(1),
  }),
} as const;

export type PredicateName = keyof typeof predicates;
export type PredicateBody<Name extends PredicateName> = z.infer<(typeof predicates)[Name]>;
export type Decision = z.infer<typeof decision>;
/** What approval an action takes. */
export type ApprovalQuorum = NonNullable<Decision['quorum']>;
export type Authority = z.infer<typeof authority>;
export type ToolRef = z.infer<typeof tool>;
export type EventRef = z.infer<typeof eventRef>;
/** An agent as statements cite it. */
export type CitedAgent = z.infer<typeof agent>;
