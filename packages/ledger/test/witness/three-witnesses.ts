import * as fs from 'node:fs';
import { join } from 'node:path';
import { startWitness, type Witness, type WitnessEndpoint } from '../../src/index.ts';
import { draft, until, World } from '../world.ts';

export const twoOfThree = {
  groups: [{ name: 'two', threshold: 2, members: ['local', 'acme', 'beta'] }],
  quorum: 'two',
};

/** A world with three witnesses, which go away and come back by their number. */
export class WitnessedWorld extends World {
  readonly witnesses: WitnessEndpoint[] = [];
  private readonly running: Witness[] = [];

  static async begin(): Promise<WitnessedWorld> {
    const world = new WitnessedWorld();
    const made = [
      await world.witness(),
      await world.witness('acme', { keys: ['ed25519', 'ml-dsa-44'] }),
      await world.witness('beta'),
    ];
    world.witnesses.push(...made.map(({ endpoint }) => endpoint));
    world.running.push(...made.map(({ witness }) => witness));
    return world;
  }

  async without(...away: readonly number[]): Promise<void> {
    await Promise.all(away.map((at) => this.close(this.running[at] as Witness)));
  }

  async back(at: number): Promise<void> {
    const port = Number(new URL(this.running[at]?.url ?? '').port);
    const stateFolder = at === 0 ? this.stateFolder : join(this.root, this.witnesses[at]?.name ?? '');
    const witness = await startWitness({ stateFolder, port });
    this.running[at] = witness;
    this.closing(witness);
  }

  /** Writes so many entries, each cosigned by all, and closes the log. */
  async grown(count: number, quorum = twoOfThree): Promise<void> {
    const ledger = await this.ledger({ witnesses: this.witnesses, quorum });
    for (let n = 0; n < count; n++) await ledger.record(draft('deployment', n)).witnessed();
    await until(() => ledger.witnessHealth().every(({ cosigned }) => cosigned?.size === ledger.size));
    await this.close(ledger);
  }

  /** Whether a ledger over this folder admits at once, or why it does not open. */
  opens(quorum = twoOfThree): Promise<boolean | string> {
    return this.ledger({ witnesses: this.witnesses, quorum }).then(
      (ledger) => ledger.isReady,
      (error: Error) => error.message,
    );
  }

  backup(): void {
    fs.cpSync(this.folder, join(this.root, 'backup'), { recursive: true });
  }

  restore(): void {
    fs.rmSync(this.folder, { recursive: true });
    fs.cpSync(join(this.root, 'backup'), this.folder, { recursive: true });
  }
}
