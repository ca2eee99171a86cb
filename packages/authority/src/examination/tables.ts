import { blindCredential, toBase64 } from '@deed/evidence';
import { DerivedTable, type LoggedStatement, type RoomGround } from '@deed/ledger';
import { givenBy } from '../approvals/approval-uses.ts';
import { peopleTables } from '../people/people-schema.ts';
import { deploymentTask } from '../vault/task-keys.ts';

/** The tables of this room whose rows follow from entries. What is free is configuration, a label or a matter of one run. */
function forms() {
  return {
    agents: new DerivedTable({
      name: 'agents',
      key: 'id',
      derived: ['kind', 'name', 'spiffe', 'how', 'definition', 'owner', 'spki', 'jkt', 'enrolled', 'revoked'],
      free: [],
    }),
    revokedNames: new DerivedTable({ name: 'revoked_names', key: 'name', derived: ['statement', 'at'], free: [] }),
    grants: new DerivedTable({
      name: 'grants',
      key: 'digest',
      derived: ['id', 'at', 'verdict', 'agent', 'capability', 'grade', 'ceiling', 'expires_ms'],
      free: [],
    }),
    policies: new DerivedTable({ name: 'policies', key: 'digest', derived: ['version', 'bundle'], free: [] }),
    tasks: new DerivedTable({
      name: 'tasks',
      key: 'id',
      derived: [
        ...['opened', 'state', 'epoch', 'implicit', 'agent', 'principal', 'objective', 'allow_', 'ceiling', 'budget'],
        ...['used', 'deadline_ms', 'grant_', 'policy', 'closed', 'depth'],
      ],
      free: ['opened_ms'],
    }),
    hops: new DerivedTable({
      name: 'hops',
      key: 'digest',
      derived: [
        ...['task', 'parent', 'delegator', 'delegate', 'allow_', 'ceiling', 'budget', 'used', 'deadline_ms', 'depth'],
        ...['accepted', 'ended'],
      ],
      free: ['offered_ms'],
    }),
    approvals: new DerivedTable({
      name: 'approvals',
      key: 'digest',
      derived: ['task', 'action', 'record', 'person', 'holder', 'grade', 'expires', 'used_by'],
      free: [],
    }),
    intents: new DerivedTable({
      name: 'intents',
      key: 'digest',
      derived: [
        ...['task', 'action', 'record', 'tier', 'observed', 'agent_distance', 'tool_distance', 'ended', 'status'],
        'settled',
      ],
      free: [],
    }),
    credentials: new DerivedTable({
      name: 'credentials',
      key: 'blinded',
      derived: ['task', 'broker'],
      free: ['id', 'blind', 'secret', 'state', 'minted_ms', 'revoked_ms', 'expires_ms'],
      partial: true,
    }),
    holds: new DerivedTable({
      name: 'legal_hold',
      key: 'id',
      derived: ['task', 'reason', 'person', 'statement', 'released'],
      free: ['placed'],
    }),
    erasures: new DerivedTable({
      name: 'erasure',
      key: 'statement',
      derived: ['task', 'whole', 'names', 'retention'],
      free: ['at_ms', 'done'],
    }),
  };
}

/** Columns that this room keeps for itself, in tables that no entry tells of as a whole. */
export const freeTables: Readonly<Record<string, readonly string[]>> = {
  ...peopleTables,
  invitations: ['code_hash', 'name', 'definition', 'expires_ms', 'agent'],
  jti: ['exp', 'jti', 'task', 'statement', 'replayed'],
  payload: ['name', 'sealed'],
  workload_tokens: ['use', 'until_ms', 'agent'],
  issuer_keys: ['issuer', 'kid', 'jwk', 'first_ms'],
  authority_run: ['one'],
  static_secret: ['name', 'sealed'],
  sealed_file: ['path', 'sealed'],
  retention_clock: ['one', 'seen_ms'],
};

export type Tables = ReturnType<typeof forms>;

/** What the entries say the tables hold: built statement by statement, then compared. */
export function deriveTables() {
  const tables = forms();
  /** The hop of each acceptance. */
  const hopOf = new Map<string, string>();
  return {
    tables,
    statement: (logged: LoggedStatement) => apply(tables, hopOf, logged),
    compare(ground: RoomGround) {
      for (const table of Object.values(tables)) table.compare(ground);
      checkCredentials(ground, tables);
      checkProofs(ground, tables);
    },
  };
}

function apply(tables: Tables, hopOf: Map<string, string>, { index, statement }: LoggedStatement): void {
  const { predicate, digest, position } = statement;
  const task = 'task' in position ? position.task : null;
  if (predicate === 'agent-enrolled') {
    const { agent, kind, spiffe, definition, key, how, owner } = statement.body;
    const name = spiffe.split('/')[4] ?? '';
    const { spki, jkt } = key;
    tables.agents.set(agent, {
      kind,
      name,
      spiffe,
      how,
      definition,
      owner,
      spki,
      jkt,
      enrolled: digest,
      revoked: null,
    });
  } else if (predicate === 'revoked') {
    const { what, id } = statement.body;
    if (what === 'agent') tables.agents.change(id, { revoked: digest });
    else tables.revokedNames.set(id, { statement: digest, at: index });
  } else if (predicate === 'grant-decision') {
    const { grant: id, verdict, agent, capability, grade, ceiling, expires } = statement.body;
    const expires_ms = Date.parse(expires);
    tables.grants.set(digest, { id, at: index, verdict, agent, capability, grade, ceiling, expires_ms });
  } else if (predicate === 'policy-activated') {
    tables.policies.set(digest, { version: statement.body.version, bundle: statement.body.bundle });
  } else if (predicate === 'erased') {
    const { scope, payloads, by } = statement.body;
    const names = JSON.stringify(payloads);
    const retention = by.kind === 'retention' ? 1 : 0;
    tables.erasures.set(digest, { task: task ?? deploymentTask, whole: scope === 'task' ? 1 : 0, names, retention });
  } else if (task !== null) applyOfTask(tables, hopOf, statement, task);
}

function applyOfTask(
  tables: Tables,
  hopOf: Map<string, string>,
  statement: LoggedStatement['statement'],
  task: string,
): void {
  const { predicate, digest } = statement;
  if (predicate === 'task-opened') {
    const { body } = statement;
    const { ceiling, grant, policy } = body;
    const [principal, objective, allow_] = [body.principal, body.objective, body.allow].map((ref) =>
      JSON.stringify(ref),
    );
    tables.tasks.set(task, {
      ...{ opened: digest, state: 'open', epoch: 0, implicit: body.implicit ? 1 : 0, agent: body.agent?.id ?? null },
      ...{ principal: principal ?? null, objective: objective ?? null, allow_: allow_ ?? null, ceiling },
      ...{ budget: body.budget.actions, used: 0, deadline_ms: Date.parse(body.deadline), grant_: grant, policy },
      ...{ closed: null, depth: body.depth },
    });
    for (const { broker, blinded } of body.credentials) tables.credentials.set(blinded, { task, broker });
  } else if (predicate === 'task-closed') {
    tables.tasks.change(task, { state: 'closed', epoch: 1, closed: digest });
  } else if (predicate === 'hop') {
    const { delegator, delegate, parent, allow, ceiling, budget, deadline, depth } = statement.body;
    tables.hops.set(digest, {
      ...{
        task,
        parent,
        delegator: delegator.id,
        delegate: delegate.id,
        allow_: JSON.stringify(allow),
        ceiling,
        depth,
      },
      ...{ budget: budget.actions, used: 0, deadline_ms: Date.parse(deadline), accepted: null, ended: null },
    });
  } else if (predicate === 'hop-accepted') {
    tables.hops.change(statement.body.hop, { accepted: digest });
    hopOf.set(digest, statement.body.hop);
  } else if (predicate === 'hop-ended') {
    tables.hops.change(statement.body.hop, { ended: digest });
  } else if (predicate === 'approval') {
    tables.approvals.set(digest, { task, ...givenBy(statement.body), used_by: null });
  } else if (predicate === 'intent') {
    const { action, record, tier, approvals } = statement.body;
    const { agent, tool } = statement.separation;
    tables.intents.set(digest, {
      ...{ task, action, record: record.sha256, tier, observed: statement.observed, agent_distance: agent },
      ...{ tool_distance: tool, ended: null, status: null, settled: 0 },
    });
    tables.tasks.change(task, { used: Number(tables.tasks.get(task)?.used ?? 0) + 1 });
    for (const accepted of statement.body.authority.chain) {
      const hop = hopOf.get(accepted) ?? '';
      tables.hops.change(hop, { used: Number(tables.hops.get(hop)?.used ?? 0) + 1 });
    }
    for (const approval of approvals) spend(tables, approval, action, digest);
  } else if (predicate === 'outcome') {
    const { intent, status, supersedes } = statement.body;
    tables.intents.change(intent, { ended: digest, status, settled: supersedes === null ? 0 : 1 });
  } else if (predicate === 'hold') {
    const { hold, act, person, reason } = statement.body;
    if (act === 'released') tables.holds.change(hold, { released: digest });
    else tables.holds.set(hold, { task, reason, person, statement: digest, released: null });
  } else if (predicate === 'refusal') {
    const { cites, reason, approvals, action } = statement.body;
    for (const approval of approvals) spend(tables, approval, action, digest);
    const ends = cites !== null && reason !== 'proof-replayed' && tables.intents.get(cites)?.ended === null;
    if (ends) tables.intents.change(cites, { ended: digest, status: null, settled: 0 });
  }
}

/** An approval is used once, by what came first. */
function spend(tables: Tables, approval: string, action: string, by: string): void {
  const row = tables.approvals.get(approval);
  if (row?.used_by === null && row.action === action) tables.approvals.change(approval, { used_by: by });
}

/** A credential's row opens to the blinded name that task-opened states, unless its task was never opened. */
function checkCredentials({ database, add }: RoomGround, tables: Tables): void {
  const rows = database.all<{ id: string; blind: Uint8Array; blinded: string; state: string }>(
    'SELECT id, blind, blinded, state FROM credentials',
  );
  for (const { id, blind, blinded, state } of rows) {
    if (blindCredential(blind, id) === blinded && ['minting', 'live', 'revoked'].includes(state)) continue;
    add('state', `table credentials, row ${id}`, `its blind (${toBase64(blind).slice(0, 6)}…), id and name do not fit`);
  }
  const there = new Set(rows.map((row) => row.blinded));
  for (const blinded of tables.credentials.keys()) {
    if (!there.has(String(blinded)))
      add('state', `table credentials, row ${String(blinded)}`, 'absent, and an entry says it');
  }
}

/** A used proof belongs to a task of the log; which statement used it is in that statement's payload. */
function checkProofs({ database, add }: RoomGround, tables: Tables): void {
  for (const { jti, task } of database.all<{ jti: string; task: string }>('SELECT jti, task FROM jti')) {
    if (!tables.tasks.has(task)) add('state', `table jti, row ${jti}`, `task ${task} is not in the log`);
  }
}
