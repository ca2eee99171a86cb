import { parseStatement } from '@deed/evidence';
import type { Ledger } from '@deed/ledger';
import type { Database, Objects } from '@deed/store';
import { Actions } from './actions/actions.ts';
import { Intents } from './actions/intents.ts';
import { ProofUses } from './actions/proof-uses.ts';
import { Refusals } from './actions/refusals.ts';
import { Rejects } from './actions/rejects.ts';
import { Agents } from './agents.ts';
import { ApprovalUses } from './approvals/approval-uses.ts';
import { Approvals } from './approvals/approvals.ts';
import type { CredentialBroker } from './brokers/broker.ts';
import { type Clock, systemClock } from './clock.ts';
import { Credentials } from './credentials.ts';
import { Delegation } from './delegation/delegation.ts';
import { Hops } from './delegation/hops.ts';
import { Grants } from './grants.ts';
import { type Ground, recordWith, serverAct } from './ground.ts';
import { Workloads } from './identity/enrol.ts';
import { type Revocation, revokeAgent } from './identity/revoke.ts';
import { readServerKeys, type ServerKeys, serverKeyRoles } from './keys/key-folder.ts';
import { requireInForce, roleKeysOf } from './keys/role-keys.ts';
import { People } from './people/people.ts';
import { Policy } from './policy/activation.ts';
import { DecisionCache } from './policy/decision-cache.ts';
import { Custody } from './retention/custody.ts';
import { Erasures } from './retention/erasures.ts';
import { LegalHolds } from './retention/legal-holds.ts';
import { defaultRetention, Retention, type RetentionRules } from './retention/retention.ts';
import { Tasks } from './tasks/tasks.ts';
import { Clients } from './tokens/clients.ts';
import { Nonces } from './tokens/nonces.ts';
import { Tokens } from './tokens/tokens.ts';
import { TaskKeys } from './vault/task-keys.ts';
import { openVault, type Vault } from './vault/vault.ts';

export interface AuthorityOptions {
  /** The data folder. */
  readonly dir: string;
  /** Opened with `authorityMigrations` and the receipt key of this folder. */
  readonly ledger: Ledger;
  readonly objects: Objects;
  /** Default: the ledger's. */
  readonly db?: Database;
  readonly clock?: Clock;
  readonly brokers?: readonly CredentialBroker[];
  /** Default: those of the folder, which must not be sealed then. */
  readonly keys?: ServerKeys;
  /** How long what is kept of a task stays. Default: half a year, seven years for attest and approve. */
  readonly retention?: RetentionRules;
}

/** Who may do what. */
export interface Authority {
  readonly origin: string;
  readonly people: People;
  readonly agents: Agents;
  readonly workloads: Workloads;
  readonly grants: Grants;
  readonly policy: Policy;
  readonly tokens: Tokens;
  readonly clients: Clients;
  readonly tasks: Tasks;
  readonly actions: Actions;
  readonly delegation: Delegation;
  readonly approvals: Approvals;
  readonly credentials: Credentials;
  readonly vault: Vault;
  readonly custody: Custody;
  readonly legalHolds: LegalHolds;
  readonly erasures: Erasures;
  readonly retention: Retention;
  /** Ends all that an agent has, by its name or id, and tries it again. @see revokeAgent */
  revokeAgent(nameOrId: string, reason: string): Promise<Revocation>;
  /** Ends in order: holds are cancelled, rejects written. The ledger is the caller's to close, afterwards. */
  close(): Promise<void>;
}

/**
 * Takes up the state of a data folder. After a run that did not end in order, each open task gets an observe-gap, and each
 * intent without an end an `unknown` outcome.
 * @throws AuthorityError key, policy-invalid, policy-downgrade; LedgerError stopped
 */
export async function openAuthority(options: AuthorityOptions): Promise<Authority> {
  const {
    dir,
    ledger,
    objects,
    db = ledger.database,
    clock = systemClock,
    brokers = [],
    keys = readServerKeys(dir),
  } = options;
  const { retention: rules = defaultRetention } = options;
  await ledger.ready;
  const { origin } = ledger;
  const vault = openVault(objects, new TaskKeys(dir), db);
  const record = recordWith(ledger, vault);
  const known = roleKeysOf(ledger.series('keys'));
  for (const role of serverKeyRoles) requireInForce(known, role, keys[role].keyid, ledger.size);
  const ground: Ground = { dir, origin, db, ledger, record, clock, keys, vault, holders: new Set(known.keys()) };
  const people = new People(ground);
  const agents = new Agents(ground);
  const grants = new Grants(ground);
  const policy = new Policy(ground, people);
  const credentials = new Credentials(ground, brokers);
  const tasks = new Tasks(ground, agents, grants, policy, credentials);
  const hops = new Hops(ground, agents, tasks);
  const proofs = new ProofUses(ground);
  const intents = new Intents(ground);
  const approvalUses = new ApprovalUses(ground);
  const refusals = new Refusals(ground, tasks, grants, proofs, intents, approvalUses);
  const rejects = new Rejects(ground);
  const decisions = new DecisionCache();
  tasks.onClose((task) => decisions.forget(task));
  const nonces = new Nonces(clock);
  const parts = {
    ground,
    agents,
    nonces,
    tasks,
    hops,
    grants,
    policy,
    decisions,
    proofs,
    intents,
    approvals: approvalUses,
    refusals,
    rejects,
  };
  const workloads = new Workloads(ground, agents, policy, rejects);
  const tokens = new Tokens(ground, agents, tasks, hops, grants, policy, nonces);
  const actions = new Actions(parts);
  const clients = new Clients(ground, agents, tasks);
  const revokeParts = { ground, agents, tasks, tokens, clients, grants, credentials, actions, rejects, workloads };
  const delegation = new Delegation(parts);
  const approvals = new Approvals(ground, people, agents, tasks, approvalUses);
  const custody = new Custody();
  const legalHolds = new LegalHolds(ground, people, tasks);
  const erasures = new Erasures(ground, people, tasks, legalHolds, custody);
  const retention = new Retention(ground, erasures, rules);

  erasures.finish();
  const unclean = db.get('SELECT 1 FROM authority_run') !== undefined;
  db.transaction((tx) => tx.run('INSERT OR IGNORE INTO authority_run (one) VALUES (1)'));
  if (unclean) await mendAfterCrash(ground, tasks, actions, intents);
  tasks.resume();
  credentials.resume((task) => tasks.isOpen(task));

  return {
    ...{ origin, people, agents, workloads, grants, policy, tokens },
    clients,
    ...{ tasks, actions, delegation, approvals, credentials, vault, custody, legalHolds, erasures, retention },
    revokeAgent: (nameOrId, reason) => revokeAgent(revokeParts, nameOrId, reason),
    async close() {
      approvals.stop();
      tasks.stop();
      credentials.stop();
      await rejects.flush();
      db.transaction((tx) => tx.run('DELETE FROM authority_run'));
    },
  };
}

/** Observe-tier entries may have waited in memory for a second when the process ended. */
const lostMs = 1000;

async function mendAfterCrash(ground: Ground, tasks: Tasks, actions: Actions, intents: Intents): Promise<void> {
  const { ledger } = ground;
  const newest = ledger.size > 0 ? ledger.entry(ledger.size - 1) : undefined;
  const lastMs = newest ? Date.parse(parseStatement(newest.envelope.payload).time) : ground.clock.now();
  const recorded = [
    ...tasks.openTasks().map((task) =>
      ground.record({
        ...serverAct,
        predicate: 'observe-gap',
        place: { task: task.id, chain: 'after' },
        subject: { name: `task:${task.id}`, sha256: task.objective.sha256 },
        body: {
          since: new Date(lastMs - lostMs).toISOString(),
          detail: 'the server did not end in order: what was only observed since then may be missing',
        },
      }),
    ),
    ...intents.open().map((intent) => actions.conclude(intent, { status: 'unknown' })),
  ];
  await Promise.all(recorded.map(({ durable }) => durable));
}
