import {
  type Authority,
  newId,
  type PayloadRef,
  type RefusalReason,
  sha256,
  toHex,
  utf8,
  type Word,
} from '@deed/evidence';
import type { Recorded } from '@deed/ledger';
import type { ApprovalUses } from '../approvals/approval-uses.ts';
import { chainOfHops } from '../delegation/hop.ts';
import type { Grants } from '../grants.ts';
import type { Ground } from '../ground.ts';
import { chainOf, type Task } from '../tasks/task.ts';
import type { Tasks } from '../tasks/tasks.ts';
import type { Intents } from './intents.ts';
import type { ProofUse, ProofUses } from './proof-uses.ts';
import {
  type Admitted,
  actHeader,
  type Refusable,
  recordBytes,
  recordType,
  stageEvidence,
  type Verdict,
} from './proposal.ts';

export interface RefusalExtra {
  readonly verdict?: Verdict | null;
  /** Digest of the intent that this ends. */
  readonly cites?: string | null;
  /** Digests of the approvals that stay consumed; those that were unused this refusal consumes. */
  readonly approvals?: readonly string[];
  /** A person's signed rejection or edit. */
  readonly rejection?: Word | null;
  /** The arguments that the edit asks for. */
  readonly edit?: PayloadRef | null;
}

const maxDetail = 2000;
const maxName = 512;

/** Makes refusals: the terminal statements of what did not happen. */
export class Refusals {
  private readonly ground: Ground;
  private readonly tasks: Tasks;
  private readonly grants: Grants;
  private readonly proofs: ProofUses;
  private readonly intents: Intents;
  private readonly approvals: ApprovalUses;

  constructor(
    ground: Ground,
    tasks: Tasks,
    grants: Grants,
    proofs: ProofUses,
    intents: Intents,
    approvals: ApprovalUses,
  ) {
    this.ground = ground;
    this.tasks = tasks;
    this.grants = grants;
    this.proofs = proofs;
    this.intents = intents;
    this.approvals = approvals;
  }

  /** Records one refusal, in `seq`, or in `after` once the task is closed. Payloads of refusals are always kept. */
  record(
    admitted: Admitted,
    what: Refusable,
    why: { readonly reason: RefusalReason; readonly detail: string } & RefusalExtra,
  ): Recorded {
    const { vault } = this.ground;
    const task = this.tasks.get(admitted.task.id) ?? admitted.task;
    const { verdict = null, cites = null, approvals = [], rejection = null, edit = null } = why;
    const said = sayable(task.id, what);
    const record = said.bytes && vault.stage(task.id, said.bytes, recordType);
    const authority = unproven(verdict?.authority ?? this.authority(admitted), admitted, cites);
    const ended = cites !== null && why.reason !== 'proof-replayed' ? this.intents.get(cites) : undefined;
    const { proof } = admitted;
    const spent = approvals.filter((each) => this.approvals.spend(each, what.action));
    const recorded = this.ground.record({
      ...actHeader(what),
      predicate: 'refusal',
      place: { task: task.id, chain: chainOf(task) },
      subject: {
        name: `action:${what.action}`,
        sha256: record?.sha256 ?? authority.evidence?.sha256 ?? toHex(sha256(utf8(what.action))),
      },
      body: {
        action: what.action,
        record,
        method: said.method,
        tool: said.tool,
        reason: why.reason,
        detail: why.detail.slice(0, maxDetail),
        authority,
        decision: verdict?.decision ?? null,
        cites,
        approvals: [...approvals],
        rejection,
        edit,
      },
      apply: (tx, { digest }) => {
        this.proofs.write(tx, proof, digest);
        if (why.reason === 'proof-replayed' && proof) this.proofs.writeReplayed(tx, proof);
        for (const each of spent) this.approvals.writeUse(tx, each, digest);
        if (ended) this.intents.writeEnd(tx, ended.digest, digest, null, null);
      },
    });
    if (task.state === 'open') this.tasks.counted(task.id);
    this.tasks.liveTask(task.id)?.refused.add(what.action);
    if (ended) {
      this.intents.end(ended, recorded.digest, null);
      this.tasks.ended(task.id, ended.digest);
    }
    this.proofs.used(proof, recorded.digest);
    return recorded;
  }

  /**
   * The refusal of something that nobody asked for through a message: the gateway saw it on the wire and stopped it. It has no
   * authority at all.
   */
  attempt(task: Task, method: string, detail: string): Recorded {
    const action = newId('action', this.ground.clock.now());
    const live = this.tasks.get(task.id) ?? task;
    const recorded = this.ground.record({
      ...actHeader({ action, method, tool: null, record: null }),
      predicate: 'refusal',
      place: { task: live.id, chain: chainOf(live) },
      subject: { name: `action:${action}`, sha256: toHex(sha256(utf8(action))) },
      body: {
        ...{ action, record: null, method, tool: null, reason: 'denied', detail: detail.slice(0, maxDetail) },
        ...{ authority: null, decision: null, cites: null, approvals: [], rejection: null, edit: null },
      },
    });
    if (live.state === 'open') this.tasks.counted(live.id);
    return recorded;
  }

  /** The one refusal of a proof's replay, which cites its first use. */
  replay(admitted: Admitted, use: ProofUse, method: string, cites: string): void {
    const action = newId('action', this.ground.clock.now());
    const detail = 'the proof of this message was used before';
    this.record(
      { ...admitted, proof: use },
      { action, method, tool: null, record: null },
      {
        reason: 'proof-replayed',
        detail,
        cites,
      },
    );
  }

  /** The authority of a message that was never decided. */
  authority(admitted: Admitted): Authority {
    const { task, agent, hops, pop } = admitted;
    return {
      pop,
      evidence: stageEvidence(this.ground.vault, admitted),
      chain: chainOfHops(hops),
      grant: this.grants.newestFor(agent?.id ?? null)?.digest ?? task.grant,
      unearned: false,
    };
  }
}

/** A proof is shown by its first statement, and by those that cite it; any other shows none. */
function unproven(authority: Authority, { proof }: Admitted, cites: string | null): Authority {
  const isFirst = !proof || proof.statement === null || proof.statement === cites;
  return isFirst ? authority : { ...authority, evidence: null };
}

/** What a statement can hold of a message that may be refused for being too large for one. */
function sayable(
  task: string,
  what: Refusable,
): Pick<Refusable, 'method' | 'tool'> & { readonly bytes: Uint8Array | null } {
  const method = what.method.slice(0, maxName) || 'unknown';
  const tool = what.tool && what.tool.name.length <= maxName && what.tool.name !== '' ? what.tool : null;
  if (!what.record || !tool || method !== what.method) return { method, tool, bytes: null };
  try {
    return { method, tool, bytes: recordBytes(task, what) };
  } catch {
    return { method, tool, bytes: null };
  }
}
