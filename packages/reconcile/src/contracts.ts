import { type Authority, contentOf, deploymentTask } from '@deed/authority';
import { type Allow, type Contract, compileContract, type Expecting, parseContract } from '@deed/evidence';
import type { Ledger } from '@deed/ledger';
import type { Database } from '@deed/store';
import { ReconcileError } from './errors.ts';
import type { Question } from './match/claim.ts';

/** The contract of a server that is in force, and the statement that says so. */
export interface Declared {
  readonly server: string;
  /** Digest of the effects-declared. */
  readonly statement: string;
  readonly contract: Contract;
  readonly expecting: Expecting;
}

interface Row {
  readonly server: string;
  readonly statement: string;
  readonly payload: string;
}

/** What the calls of each server's tools are to leave in the records of other systems. The newest of a server is in force. */
export class Contracts {
  private readonly db: Database;
  private readonly ledger: Ledger;
  private readonly authority: Authority;
  private readonly compiled = new Map<string, Declared>();

  constructor({ db, ledger, authority }: { db: Database; ledger: Ledger; authority: Authority }) {
    this.db = db;
    this.ledger = ledger;
    this.authority = authority;
  }

  /** Resolves when it is durable. The same bytes again change nothing. @throws EvidenceError mapping, limit */
  async declare(bytes: Uint8Array): Promise<Declared> {
    const { server } = parseContract(bytes);
    const contract = this.authority.vault.put(deploymentTask, bytes, 'application/vnd.deed.contract+json');
    const known = this.row(server);
    if (known?.payload === contract.sha256) return this.open(known);
    const recorded = this.ledger.record({
      predicate: 'effects-declared',
      place: { series: 'tools' },
      subject: { name: `server:${server}`, sha256: contract.sha256 },
      observed: 'gateway-observed',
      separation: { agent: 'none', tool: 'none' },
      body: { server, contract },
      apply: (tx, { digest }) => {
        tx.run(
          'INSERT OR REPLACE INTO contract (server, statement, payload) VALUES (?, ?, ?)',
          server,
          digest,
          contract.sha256,
        );
      },
    });
    await recorded.durable;
    return this.open({ server, statement: recorded.digest, payload: contract.sha256 });
  }

  /** @throws ReconcileError erased */
  of(server: string): Declared | null {
    const row = this.row(server);
    return row ? this.open(row) : null;
  }

  list(): readonly Declared[] {
    return this.db.all<Row>('SELECT * FROM contract ORDER BY server').map((row) => this.open(row));
  }

  private row(server: string): Row | undefined {
    return this.db.get<Row>('SELECT * FROM contract WHERE server = ?', server);
  }

  private open({ server, statement, payload }: Row): Declared {
    const known = this.compiled.get(statement);
    if (known) return known;
    const bytes = contentOf(this.authority.vault, { sha256: payload });
    if (!bytes) throw new ReconcileError('erased', `the contract of ${server} is gone; declare it again`);
    const contract = parseContract(bytes);
    const declared: Declared = { server, statement, contract, expecting: compileContract(contract) };
    this.compiled.set(statement, declared);
    return declared;
  }
}

/** Which operations allowed tools may cause, and which their servers leave beside their calls, by source. Null: each tool is allowed. */
export function reachOf(all: readonly Declared[], allow: Allow | null): Pick<Question, 'possible' | 'ambient'> {
  const possible = new Map<string, Set<string>>();
  const ambient = new Map<string, Set<string>>();
  const add = (to: Map<string, Set<string>>, sources: readonly string[], operations: readonly string[]) => {
    for (const source of sources) to.set(source, new Set([...(to.get(source) ?? []), ...operations]));
  };
  for (const { server, contract } of all) {
    const entries = allow?.filter((entry) => entry.server === server) ?? [{ tools: undefined }];
    const isAllowed = (tool: string) =>
      entries.some(({ tools }) => tools === undefined || tool === '*' || tools.includes(tool));
    for (const { tools, sources, operations } of contract.effects)
      add(possible, sources, tools.some(isAllowed) ? operations : []);
    if (entries.length > 0) for (const { sources, operations } of contract.ambient) add(ambient, sources, operations);
  }
  return { possible, ambient };
}
