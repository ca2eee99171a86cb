import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type StatementParts, writeStatement } from '@deed/evidence';
import {
  type Draft,
  initWitness,
  type Ledger,
  type LedgerOptions,
  loadLogKeys,
  makeLogKeys,
  makeSignerKey,
  openLedger,
  pemSigner,
  startWitness,
  trustLog,
  type Witness,
  type WitnessEndpoint,
  type WitnessKeyKind,
  type WitnessOptions,
} from '../src/index.ts';

export const origin = 'log.example/test';

/** Real keys, real folders and, where wanted, a real witness. Everything goes with `tidy`. */
export class World {
  readonly root = fs.mkdtempSync(join(tmpdir(), 'deed-ledger-'));
  readonly folder = join(this.root, 'data');
  readonly stateFolder = join(this.root, 'witness');
  readonly pems = makeLogKeys();
  readonly logKeys = loadLogKeys(origin, this.pems);
  readonly signerPem = makeSignerKey();
  readonly fatal: Error[] = [];
  private readonly open = new Set<{ close(): Promise<void> }>();

  async ledger(options: Partial<LedgerOptions> = {}): Promise<Ledger> {
    const ledger = await openLedger({
      folder: this.folder,
      logKeys: this.logKeys,
      signer: pemSigner(this.signerPem),
      publishIntervalMs: 5,
      write: writeLoosely,
      onFatal: (error) => this.fatal.push(error),
      ...options,
    });
    this.open.add(ledger);
    return ledger;
  }

  async witness(
    name = 'local',
    { keys = ['ed25519'], ...more }: Partial<WitnessOptions> & { readonly keys?: readonly WitnessKeyKind[] } = {},
  ): Promise<{ witness: Witness; endpoint: WitnessEndpoint }> {
    const stateFolder = name === 'local' ? this.stateFolder : join(this.root, name);
    initWitness(stateFolder, { name: `witness.example/${name}`, keys });
    trustLog(stateFolder, { origin, vkeys: this.logKeys.vkeys });
    const witness = await startWitness({ stateFolder, ...more });
    this.open.add(witness);
    return { witness, endpoint: { name, vkey: witness.vkeys.at(-1) ?? '', url: witness.url } };
  }

  /** Closes it with the rest. */
  closing(what: { close(): Promise<void> }): void {
    this.open.add(what);
  }

  async close(what: { close(): Promise<void> }): Promise<void> {
    this.open.delete(what);
    await what.close();
  }

  async tidy(): Promise<void> {
    for (const what of [...this.open].reverse()) await this.close(what);
    fs.rmSync(this.root, { recursive: true });
  }
}

/** Statements of any body at any place: what they say is no matter of these tests. */
export const writeLoosely = (parts: StatementParts) => writeStatement(parts, { loose: true });

export function draft(series: string, n = 0, more: Partial<Draft> = {}): Draft {
  return {
    predicate: 'rejects-counted',
    place: { series },
    subject: { name: 'deployment:test', sha256: 'a'.repeat(64) },
    observed: 'gateway-observed',
    separation: { agent: 'other-uid', tool: 'none' },
    body: { count: n },
    ...more,
  };
}

export function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : error;
}

/** Lets the event loop go round until something holds. The runner's own limit ends it. */
export async function until(holds: () => unknown): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}
