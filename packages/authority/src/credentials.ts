import { type Allow, blindCredential, blindSize, fromUtf8, newId, randomBytes, utf8 } from '@deed/evidence';
import type { Transaction } from '@deed/store';
import type { CredentialBroker, MintedCredential, Secret } from './brokers/broker.ts';
import { probeCredential } from './brokers/probe.ts';
import { AuthorityError } from './errors.ts';
import type { Ground } from './ground.ts';

const firstRetryMs = 1_000;
const longestRetryMs = 5 * 60_000;

export interface Credential {
  readonly id: string;
  readonly task: string;
  readonly broker: string;
  readonly blind: Uint8Array;
  /** How statements and batches of events name it. */
  readonly blinded: string;
  readonly state: 'minting' | 'live' | 'revoked';
  readonly mintedMs: number;
  readonly revokedMs: number | null;
  /** When it ends by itself; null: only by revocation. */
  readonly expiresMs: number | null;
}

interface Row {
  readonly id: string;
  readonly task: string;
  readonly broker: string;
  readonly blind: Uint8Array;
  readonly blinded: string;
  readonly secret: Uint8Array | null;
  readonly state: Credential['state'];
  readonly minted_ms: number;
  readonly revoked_ms: number | null;
  readonly expires_ms: number | null;
}

/** Minted for a task that is about to open. */
export interface Minted {
  readonly id: string;
  readonly broker: string;
  readonly blinded: string;
  readonly debt: CredentialBroker['debt'];
}

/** The credentials that brokers minted, one a task and target: known by id, named in the log only blinded. */
export class Credentials {
  private readonly ground: Ground;
  private readonly brokers: Map<string, CredentialBroker>;
  /** One revocation at a time for each credential. */
  private readonly revoking = new Map<string, Promise<void>>();
  private readonly cancelRetries = new Map<string, () => void>();

  constructor(ground: Ground, brokers: readonly CredentialBroker[]) {
    this.ground = ground;
    this.brokers = new Map(brokers.map((broker) => [broker.name, broker]));
  }

  /** Asks this broker too, from the next task on. */
  addBroker(broker: CredentialBroker): void {
    this.brokers.set(broker.name, broker);
  }

  /** No task is given a credential of this broker any more; what it minted it still revokes. */
  retire(name: string): void {
    const broker = this.brokers.get(name);
    if (broker) this.brokers.set(name, { ...broker, targets: () => [] });
  }

  broker(name: string): CredentialBroker | undefined {
    return this.brokers.get(name);
  }

  /**
   * Asks each broker that the allowed actions concern for the task's credential. A row is written before a broker is asked: what a
   * crash leaves behind is known and revoked at the next start.
   * @param only of these brokers alone
   * @throws AuthorityError broker (what was minted for this task is revoked again)
   */
  async mint(
    task: string,
    allow: Allow,
    deadlineMs: number,
    only?: CredentialBroker['debt'],
  ): Promise<readonly Minted[]> {
    const minted: Minted[] = [];
    for (const broker of this.brokers.values()) {
      const targets = only === undefined || broker.debt === only ? broker.targets(allow) : [];
      if (targets.length === 0) continue;
      const id = newId('credential', this.ground.clock.now());
      const blind = randomBytes(blindSize);
      this.write((tx) => {
        tx.run(
          "INSERT INTO credentials (id, task, broker, blind, blinded, state, minted_ms) VALUES (?, ?, ?, ?, ?, 'minting', ?)",
          ...[id, task, broker.name, blind, blindCredential(blind, id), this.ground.clock.now()],
        );
      });
      try {
        minted.push(this.keep(task, broker, id, blind, await broker.mint({ task, id, targets, deadlineMs })));
      } catch (cause) {
        this.revokeAll(task);
        const why = cause instanceof AuthorityError ? `: ${cause.message}` : '';
        throw new AuthorityError('broker', `${broker.name} minted no credential: the task was not opened${why}`, {
          cause,
        });
      }
    }
    return minted;
  }

  /** A task's credential, for the gateway's own hands; null if there is none. */
  secret(task: string, broker: string): { readonly id: string; readonly secret: Secret } | null {
    const row = this.ground.db.get<Row>(
      "SELECT * FROM credentials WHERE task = ? AND broker = ? AND state = 'live'",
      ...[task, broker],
    );
    const secret = row && this.open(row);
    return secret ? { id: row.id, secret } : null;
  }

  get(id: string): Credential | undefined {
    const row = this.ground.db.get<Row>('SELECT * FROM credentials WHERE id = ?', id);
    return row && toCredential(row);
  }

  ofTask(task: string): readonly Credential[] {
    return this.ground.db.all<Row>('SELECT * FROM credentials WHERE task = ? ORDER BY id', task).map(toCredential);
  }

  /** What a broker minted and did not revoke yet. */
  unrevoked(broker: string): readonly Credential[] {
    const rows = this.ground.db.all<Row>("SELECT * FROM credentials WHERE broker = ? AND state <> 'revoked'", broker);
    return rows.map(toCredential);
  }

  /** Revokes what the task holds, again and again until it is done. Returns at once. */
  revokeAll(task: string): void {
    for (const { id, broker } of this.ofTask(task).filter(({ state }) => state !== 'revoked')) this.revoke(id, broker);
  }

  /** Resolves when each credential of the task is revoked, or its first attempt has failed. */
  async settled(task: string): Promise<void> {
    await Promise.all(this.ofTask(task).map(({ id }) => this.revoking.get(id)));
  }

  /** Whether the target still takes a credential, where its broker can try that; null where it cannot. */
  stillOpens(id: string, secret: Secret): Promise<boolean | null> {
    return probeCredential(this.brokers.get(this.get(id)?.broker ?? ''), id, secret);
  }

  /** At the start: what belongs to no open task is revoked. */
  resume(isOpen: (task: string) => boolean): void {
    const rows = this.ground.db.all<Row>("SELECT * FROM credentials WHERE state <> 'revoked'");
    for (const { id, task, broker } of rows) if (!isOpen(task)) this.revoke(id, broker);
  }

  stop(): void {
    for (const cancel of this.cancelRetries.values()) cancel();
    this.cancelRetries.clear();
  }

  private keep(
    task: string,
    { name, debt }: CredentialBroker,
    asked: string,
    blind: Uint8Array,
    { id, secret, expiresMs }: MintedCredential,
  ): Minted {
    const blinded = blindCredential(blind, id);
    const sealed = this.ground.vault.seal(task, purpose(id), utf8(JSON.stringify(secret)));
    this.write((tx) =>
      tx.run(
        "UPDATE credentials SET id = ?, blinded = ?, secret = ?, expires_ms = ?, state = 'live' WHERE id = ?",
        ...[id, blinded, sealed, expiresMs ?? null, asked],
      ),
    );
    return { id, broker: name, blinded, debt };
  }

  /** Null if there is none, or if its task was erased. */
  private open({ id, task, secret }: Row): Secret | null {
    if (!secret || !this.ground.vault.taskKeys.hasKey(task)) return null;
    return JSON.parse(fromUtf8(this.ground.vault.unseal(task, purpose(id), secret))) as Secret;
  }

  private revoke(id: string, brokerName: string, retryMs = firstRetryMs): void {
    if (this.revoking.has(id)) return;
    const attempt = this.tryRevoke(id, brokerName).then(
      () => {
        this.revoking.delete(id);
      },
      () => {
        this.revoking.delete(id);
        const next = Math.min(retryMs * 2, longestRetryMs);
        const again = () => {
          this.cancelRetries.delete(id);
          this.revoke(id, brokerName, next);
        };
        this.cancelRetries.set(id, this.ground.clock.after(retryMs, again));
      },
    );
    this.revoking.set(id, attempt);
  }

  private async tryRevoke(id: string, brokerName: string): Promise<void> {
    const broker = this.brokers.get(brokerName);
    if (!broker) throw new AuthorityError('broker', `broker ${brokerName} is not configured any more`);
    const row = this.ground.db.get<Row>('SELECT * FROM credentials WHERE id = ?', id);
    const now = this.ground.clock.now();
    // Some targets take nothing back, or not what a crash made nobody's: then the end of its life is what revokes it.
    const life = broker.expiresMs;
    const ends = row && life !== undefined ? (row.expires_ms ?? row.minted_ms + life) : Number.POSITIVE_INFINITY;
    await broker.revoke(id, row ? this.open(row) : null).catch((error: unknown) => {
      if (ends > now) throw error;
    });
    this.write((tx) =>
      tx.run("UPDATE credentials SET state = 'revoked', secret = NULL, revoked_ms = ? WHERE id = ?", now, id),
    );
  }

  private write(work: (tx: Transaction) => unknown): void {
    this.ground.db.transaction(work);
  }
}

function purpose(id: string): string {
  return `credential:${id}`;
}

function toCredential(row: Row): Credential {
  const { id, task, broker, blind, blinded, state } = row;
  const times = { mintedMs: row.minted_ms, revokedMs: row.revoked_ms, expiresMs: row.expires_ms };
  return { id, task, broker, blind, blinded, state, ...times };
}
