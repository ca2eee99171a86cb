import { formatNote, meetsQuorum, type NoteSignature, type QuorumRule } from '@deed/evidence';
import { LedgerError } from '../errors.ts';
import type { Signing } from '../signing.ts';
import type { TreeView, WitnessClient, WitnessHealth } from './client.ts';

export interface CosignersOptions {
  readonly witnesses: readonly WitnessClient[];
  /** Names the witnesses. */
  readonly rule: QuorumRule;
}

interface Patience {
  failures: number;
  notBeforeMs: number;
}

const firstRetryMs = 250;
const longestRetryMs = 30_000;

/** The witnesses of a log together: whom to ask now, whom to leave alone for a while, and when it is enough. */
export class Cosigners {
  readonly witnesses: readonly WitnessClient[];
  private readonly rule: QuorumRule;
  private readonly patience = new Map<WitnessClient, Patience>();
  private readonly asked = new Set<WitnessClient>();
  /** Those whose cosignature on the newest checkpoint is to be had once more, with today's time. */
  private readonly stale = new Set<WitnessClient>();

  /** @throws LedgerError witness (the rule names somebody who is not configured, or can never hold) */
  constructor({ witnesses, rule }: CosignersOptions) {
    this.witnesses = witnesses;
    this.rule = rule;
    const names = new Set(witnesses.map(({ name }) => name));
    if (names.size < witnesses.length) throw new LedgerError('witness', 'two witnesses have one name');
    if (!meetsQuorum(rule, names)) {
      throw new LedgerError(
        'witness',
        `the quorum ${rule.quorum} cannot be had from ${[...names].join(', ') || 'nobody'}`,
      );
    }
  }

  /** False for a rule that asks for nobody: nothing is ever witnessed by nobody. */
  get canWitness(): boolean {
    return this.rule.quorum !== 'none';
  }

  isEnough(cosignatures: ReadonlyMap<string, NoteSignature>): boolean {
    return this.canWitness && meetsQuorum(this.rule, new Set(cosignatures.keys()));
  }

  /** What the witnesses signed before a restart. */
  remember({ checkpoint, cosignatures }: Signing): void {
    for (const witness of this.witnesses) {
      const signature = cosignatures.get(witness.name);
      if (signature) witness.remember(checkpoint.size, signature);
    }
  }

  health(): readonly WitnessHealth[] {
    return this.witnesses.map((witness) => witness.health());
  }

  /** Whom to ask now. */
  due({ cosignatures }: Signing): readonly WitnessClient[] {
    const now = performance.now();
    return this.witnesses.filter(
      (witness) =>
        (!cosignatures.has(witness.name) || this.stale.has(witness)) &&
        !this.asked.has(witness) &&
        (this.patience.get(witness)?.notBeforeMs ?? 0) <= now,
    );
  }

  /** It answered when it was last asked: worth waiting for. */
  isReliable(witness: WitnessClient): boolean {
    return !this.patience.has(witness);
  }

  /** Asks for a cosignature. @returns whether there is one now @throws LedgerError forked */
  async ask(witness: WitnessClient, signing: Signing, tree: TreeView): Promise<boolean> {
    this.asked.add(witness);
    try {
      const note = formatNote({ text: signing.text, signatures: signing.ours });
      signing.cosignatures.set(witness.name, await witness.cosign(note, signing.checkpoint, tree));
      this.patience.delete(witness);
      this.stale.delete(witness);
      return true;
    } catch (error) {
      if (!(error instanceof LedgerError) || error.code !== 'witness') throw error;
      const failures = (this.patience.get(witness)?.failures ?? 0) + 1;
      const delay = Math.min(longestRetryMs, firstRetryMs * 2 ** (failures - 1));
      this.patience.set(witness, { failures, notBeforeMs: performance.now() + delay });
      return false;
    } finally {
      this.asked.delete(witness);
    }
  }

  /** Somebody waits: the pauses after failures are over. */
  hurry(): void {
    for (const patience of this.patience.values()) patience.notBeforeMs = 0;
  }

  /** From now on the cosignatures that there are count as old. */
  renew(): void {
    for (const witness of this.witnesses) this.stale.add(witness);
  }

  /** Milliseconds until one of those that failed is to be asked again; undefined when all have signed. */
  retryMs({ cosignatures }: Signing): number | undefined {
    const open = this.witnesses.filter(
      (witness) => !this.asked.has(witness) && (!cosignatures.has(witness.name) || this.stale.has(witness)),
    );
    if (open.length === 0) return undefined;
    const times = open.map((witness) => (this.patience.get(witness)?.notBeforeMs ?? 0) - performance.now());
    return Math.max(firstRetryMs, Math.min(longestRetryMs, ...times));
  }

  /**
   * Asks all what they know of the log. True when those that agree are a quorum, and no quorum could ever be had without one
   * of them: then nobody was shown more than this tree.
   * @throws LedgerError forked
   */
  async confirm(tree: TreeView): Promise<boolean> {
    const answers = await Promise.all(this.witnesses.map((witness) => agrees(witness, tree)));
    if (!this.canWitness) return true;
    const agreeing = this.witnesses.filter((_, at) => answers[at]).map(({ name }) => name);
    const others = this.witnesses.filter((_, at) => !answers[at]).map(({ name }) => name);
    return meetsQuorum(this.rule, new Set(agreeing)) && !meetsQuorum(this.rule, new Set(others));
  }
}

async function agrees(witness: WitnessClient, tree: TreeView): Promise<boolean> {
  try {
    await witness.compare(tree);
    return true;
  } catch (error) {
    if (error instanceof LedgerError && error.code === 'witness') return false;
    throw error;
  }
}
