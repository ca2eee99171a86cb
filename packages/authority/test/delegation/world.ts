import type { KeyObject } from 'node:crypto';
import { type Allow, utf8 } from '@deed/evidence';
import type { Recorded } from '@deed/ledger';
import type { Agent } from '../../src/agents.ts';
import { type HopTerms, makeHop, makeHopAccepted, makeHopEnded } from '../../src/delegation/words.ts';
import type { Task } from '../../src/tasks/task.ts';
import { makeAssertion, makeProof } from '../../src/tokens/proof.ts';
import { propose, type World } from '../world.ts';

/** An enrolled agent in a task, by its own right or by hops. */
export class Member {
  readonly world: World;
  readonly task: Task;
  readonly key: KeyObject;
  readonly agent: Agent;

  constructor(world: World, task: Task, { key, agent }: { readonly key: KeyObject; readonly agent: Agent }) {
    this.world = world;
    this.task = task;
    this.key = key;
    this.agent = agent;
  }

  /** The task's own agent. */
  static async begin(world: World, over: Parameters<World['task']>[1] = {}): Promise<Member> {
    const who = await world.enrol('planner');
    return new Member(world, await world.task(who.agent.id, { depth: 3, ...over }), who);
  }

  /** Another agent, with no right yet. */
  async other(name: string): Promise<Member> {
    return new Member(this.world, this.task, await this.world.enrol(name));
  }

  get signer() {
    return { agent: this.agent.id, key: this.key };
  }

  get party() {
    return { agent: this.agent.id, jkt: this.agent.jkt };
  }

  async token(hop?: string): Promise<string> {
    const { origin } = this.world.init;
    const of = { spiffe: this.agent.spiffe, origin, task: this.task.id, hop };
    const assertion = await makeAssertion(this.key, of, this.world.clock);
    return (await this.world.authority.tokens.issue(this.task.id, assertion)).token;
  }

  /** What it would pass on by default: all of the files, ten actions, for an hour, no further. */
  terms(to: Member, over: Partial<HopTerms> = {}): HopTerms {
    return {
      delegate: to.party,
      allow: files,
      ceiling: 'record',
      actions: 10,
      deadlineMs: this.world.clock.now() + 3_600_000,
      depth: 0,
      ...over,
    };
  }

  async offer(to: Member, over: Partial<HopTerms> = {}, hop?: string): Promise<Recorded> {
    const token = await this.token(hop);
    const offer = await makeHop(this.signer, token, this.terms(to, over), this.world.clock);
    const recorded = await this.world.authority.delegation.offer(this.task.id, offer);
    await recorded.durable;
    return recorded;
  }

  async accept(hop: string): Promise<Recorded> {
    const { origin } = this.world.init;
    const word = await makeHopAccepted(this.signer, { origin, task: this.task.id, hop });
    const recorded = this.world.authority.delegation.accept(this.task.id, word);
    await recorded.durable;
    return recorded;
  }

  /** Offers and lets the other accept; returns the digests of both. */
  async passOn(to: Member, over: Partial<HopTerms> = {}, hop?: string) {
    const offered = await this.offer(to, over, hop);
    const accepted = await to.accept(offered.digest);
    return { hop: offered.digest, accepted: accepted.digest };
  }

  async end(hop: string): Promise<Recorded> {
    const { origin } = this.world.init;
    const word = await makeHopEnded(this.signer, { origin, task: this.task.id, hop });
    const recorded = this.world.authority.delegation.end(this.task.id, hop, word);
    await recorded.durable;
    return recorded;
  }

  async message(tool: string, token?: string) {
    const held = token ?? (await this.token());
    const body = utf8(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"${tool}","arguments":{}}}`);
    const proof = await makeProof(this.key, held, body, this.world.clock);
    return { kind: 'token', token: held, proof, body } as const;
  }

  /** One action from its message to its outcome. @throws AuthorityError as the walk */
  async act(tool = 'write_file', token?: string): Promise<Recorded> {
    const { actions } = this.world.authority;
    const admitted = await actions.admit(await this.message(tool, token));
    const proposal = propose(this.world, this.task.id, tool);
    const verdict = actions.decide(admitted, proposal);
    const intent = actions.intend(admitted, proposal, verdict);
    actions.conclude(intent, { status: 'ok' });
    return intent;
  }
}

export const files: Allow = [{ server: 'files' }];
