import { memoryTree, parseCheckpoint, parseNote, rootOf, statementDigest, toBase64, toHex } from '@deed/evidence';
import { openReadOnly } from '@deed/store';
import { expect } from 'vitest';
import {
  fsck,
  type LogKeys,
  leafHashOf,
  openLedger,
  pemSigner,
  readEntries,
  type WitnessEndpoint,
} from '../../src/index.ts';
import { draft, writeLoosely } from '../world.ts';

/** What a log told the world: the entries it acknowledged and every checkpoint it signed or showed. */
export class History {
  readonly acknowledged = new Map<number, string>();
  /** By size. */
  private readonly roots = new Map<number, string>();

  acknowledge(index: number, digest: string): void {
    const before = this.acknowledged.get(index);
    if (before !== undefined && before !== digest) throw new Error(`index ${index} was given away twice`);
    this.acknowledged.set(index, digest);
  }

  /** A checkpoint's text. Two roots for one size are a fork, whoever saw them. */
  signed(text: string): void {
    const { size, root } = parseCheckpoint(text);
    const before = this.roots.get(size);
    if (before !== undefined && before !== toBase64(root)) throw new Error(`two roots were signed for size ${size}`);
    this.roots.set(size, toBase64(root));
  }

  shown(note: string): void {
    this.signed(parseNote(note).text);
  }

  get checkpoints(): number {
    return this.roots.size;
  }

  /** Every acknowledged entry is at its index, and every checkpoint is one of this tree. */
  holds(folder: string, what: string): void {
    const database = openReadOnly(folder);
    const entries = readEntries(database, 0, Number.MAX_SAFE_INTEGER);
    database.close();
    const lost = [...this.acknowledged].filter(([index, digest]) => {
      const entry = entries[index];
      return !entry || entry.index !== index || toHex(statementDigest(entry.envelope.payload)) !== digest;
    });
    expect(lost, `${what}: acknowledged entries that are lost or moved`).toEqual([]);
    const tree = memoryTree(entries.map(leafHashOf));
    const foreign = [...this.roots].filter(
      ([size, root]) => size > entries.length || toBase64(rootOf(tree, size)) !== root,
    );
    expect(foreign, `${what}: checkpoints that are not of this log`).toEqual([]);
  }
}

export interface Deployment {
  readonly folder: string;
  readonly logKeys: LogKeys;
  readonly signerPem: string;
  readonly witnesses: readonly WitnessEndpoint[];
}

/** Damage that the next start does not put right by itself. */
export function serious(folder: string): readonly string[] {
  const { problems } = fsck(folder);
  return problems
    .filter(({ code }) => code !== 'unfinished')
    .map(({ code, where, what }) => `${code} ${where}: ${what}`);
}

/** After whatever happened: nothing is damaged or lost, the next start goes on and publishes, and then nothing is left over. */
export async function aftermath(deployment: Deployment, history: History, what: string): Promise<void> {
  const { folder, logKeys, signerPem, witnesses } = deployment;
  expect(serious(folder), `${what}: fsck`).toEqual([]);
  history.holds(folder, what);
  const ledger = await openLedger({
    folder,
    logKeys,
    signer: pemSigner(signerPem),
    publishIntervalMs: 5,
    write: writeLoosely,
    witnesses,
    onFatal: (error) => {
      throw error;
    },
  });
  await ledger.ready;
  const recorded = ledger.record(draft('deployment'));
  const { index } = await recorded.durable;
  history.acknowledge(index, recorded.digest);
  const checkpoint = witnesses.length > 0 ? await recorded.witnessed() : await recorded.published();
  history.shown(checkpoint.note);
  await ledger.close();
  expect(fsck(folder).problems, `${what}: fsck after the next start`).toEqual([]);
  history.holds(folder, `${what}, after the next start`);
}
