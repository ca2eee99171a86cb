import {
  type AgentKind,
  type CitedAgent,
  fromBase64,
  jwkThumbprint,
  keyId,
  newId,
  type PredicateBody,
  randomBytes,
  sha256,
  toBase64,
  toBase64Url,
  toHex,
  utf8,
  verifyP256,
} from '@deed/evidence';
import type { Transaction } from '@deed/store';
import { AuthorityError } from './errors.ts';
import { type Ground, serverAct, trustDomainOf } from './ground.ts';
import { requireP256Spki } from './keys/p256.ts';

const invitationMs = 15 * 60_000;
const agentName = /^(?!agt_)[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

/** One instance of an agent: an enrolled key. */
export interface Agent {
  readonly id: string;
  readonly kind: AgentKind;
  readonly name: string;
  /** Its name, and the digest of its definition if it declared one: another definition is another subject. */
  readonly spiffe: string;
  readonly how: PredicateBody<'agent-enrolled'>['how'];
  /** The person who answers for it, if one was named. */
  readonly owner: string | null;
  /** Digest of the declared configuration, if one was declared. */
  readonly definition: string | null;
  /** SPKI DER. */
  readonly spki: Uint8Array;
  readonly jkt: string;
  /** Digest of the enrolment statement. */
  readonly enrolled: string;
  /** Digest of the revocation statement, once there is one. */
  readonly revoked: string | null;
}

/** An agent as statements cite it. */
export function citedAgent({ id, spiffe, definition, jkt, enrolled }: Agent): CitedAgent {
  return { id, spiffe, definition, jkt, enrolled };
}

type Row = Omit<Agent, 'spki'> & { readonly spki: string };

interface Invitation {
  readonly code_hash: string;
  readonly name: string;
  readonly definition: string | null;
  readonly owner: string | null;
  readonly expires_ms: number;
}

/** What a new key signs to be enrolled (ES256, DER): a code of its own domain, for one deployment and one key. */
export function enrolmentChallenge(origin: string, code: string, spki: Uint8Array): Uint8Array {
  return utf8(`deed-enrol-v1\0${origin}\0${code}\0${toBase64(spki)}`);
}

/** A key that is to become an instance of an agent, once its right to that was checked. */
export interface Entrant extends Pick<Agent, 'kind' | 'name' | 'definition' | 'how' | 'owner' | 'spki'> {
  readonly evidence: PredicateBody<'agent-enrolled'>['evidence'];
  /** Digest of the policy-activated whose rules admitted it. */
  readonly policy: string | null;
}

/** The enrolled agents, and how new ones come in. */
export class Agents {
  private readonly ground: Ground;
  private readonly byId = new Map<string, Agent>();
  private readonly idOfJkt = new Map<string, string>();
  /** Codes that are being redeemed: reserved before the statement, so that a code is used once. */
  private readonly redeeming = new Set<string>();
  /** Names that were revoked, and the log index from which on: infinity until that is durable. */
  private readonly barred = new Map<string, number>();

  constructor(ground: Ground) {
    this.ground = ground;
    const columns = 'id, kind, name, spiffe, how, definition, owner, spki, jkt, enrolled, revoked';
    for (const row of ground.db.all<Row>(`SELECT ${columns} FROM agents ORDER BY id`)) {
      this.remember({ ...row, spki: fromBase64(row.spki) });
    }
    for (const { name, at } of ground.db.all<{ name: string; at: number }>('SELECT name, at FROM revoked_names')) {
      this.barred.set(name, at);
    }
  }

  /**
   * A one-time code that lets one new key become an instance of the named agent within 15 minutes. Only its hash is kept.
   * `definition`: hex SHA-256 of the agent's declared configuration. `owner`: id of the person who answers for it.
   * @throws AuthorityError name
   */
  invite(
    name: string,
    { definition = null, owner = null }: { readonly definition?: string | null; readonly owner?: string | null } = {},
  ): { readonly code: string; readonly expiresMs: number } {
    if (!agentName.test(name)) {
      throw new AuthorityError('name', 'an agent name has 1 to 63 letters, digits, dots, dashes or underscores');
    }
    const code = toBase64Url(randomBytes(24));
    const expiresMs = this.ground.clock.now() + invitationMs;
    this.ground.db.transaction((tx) => {
      tx.run('DELETE FROM invitations WHERE expires_ms < ? AND agent IS NULL', this.ground.clock.now() - invitationMs);
      tx.run(
        'INSERT INTO invitations (code_hash, name, definition, owner, expires_ms, agent) VALUES (?, ?, ?, ?, ?, NULL)',
        ...[hashOf(code), name, definition, owner, expiresMs],
      );
    });
    return { code, expiresMs };
  }

  /**
   * Enrols a new key. `proof` is the key's signature over {@link enrolmentChallenge}.
   * @throws AuthorityError code (unknown, used, too old), key, proof-of-key
   */
  async redeem(code: string, spki: Uint8Array, proof: Uint8Array): Promise<Agent> {
    const { db, clock, origin } = this.ground;
    const hash = hashOf(code);
    requireP256Spki(spki);
    const invitation = db.get<Invitation>(
      'SELECT code_hash, name, definition, owner, expires_ms FROM invitations WHERE code_hash = ? AND agent IS NULL',
      hash,
    );
    const isEnding = invitation !== undefined && this.barred.get(invitation.name) === Number.POSITIVE_INFINITY;
    if (!invitation || isEnding || this.redeeming.has(hash) || invitation.expires_ms <= clock.now()) {
      throw new AuthorityError('code', 'this code is unknown, used, or older than 15 minutes: ask for a new one');
    }
    if (!verifyP256(spki, enrolmentChallenge(origin, code, spki), proof)) {
      throw new AuthorityError('proof-of-key', 'the new key did not sign the challenge of this code');
    }
    const { name, definition, owner } = invitation;
    this.redeeming.add(hash);
    try {
      const how = { kind: 'agent', how: 'one-time-code', evidence: null, policy: null } as const;
      return await this.enter({ ...how, name, definition, owner, spki }, (tx, id) => {
        const used = tx.run('UPDATE invitations SET agent = ? WHERE code_hash = ? AND agent IS NULL', id, hash);
        if (used !== 1) throw new Error('an invitation was used twice');
      });
    } finally {
      this.redeeming.delete(hash);
    }
  }

  /**
   * Records an enrolment; `apply` belongs to its transaction. In force from this call on.
   * @throws AuthorityError key (it has a holder)
   */
  async enter(entrant: Entrant, apply: (tx: Transaction, id: string) => void): Promise<Agent> {
    const { clock, keys, origin, holders } = this.ground;
    const { kind, name, definition, how, owner, spki, evidence, policy } = entrant;
    if (holders.has(keyId(spki))) throw new AuthorityError('key', 'this key has a holder already: make a fresh one');
    const jkt = jwkThumbprint(spki);
    const id = newId('agent', clock.now());
    const spiffe = spiffeOf(origin, name, definition);
    const key = { alg: 'ES256', spki: toBase64(spki), jkt } as const;
    const recorded = this.ground.record({
      ...serverAct,
      predicate: 'agent-enrolled',
      place: { series: 'agents' },
      subject: { name: `agent:${id}`, sha256: keyId(spki) },
      body: { agent: id, kind, spiffe, definition, key, how, evidence, policy, owner },
      signer: keys.registrar,
      apply: (tx, { digest }) => {
        apply(tx, id);
        tx.run(
          `INSERT INTO agents (id, kind, name, spiffe, how, definition, owner, spki, jkt, enrolled)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
          ...[id, kind, name, spiffe, how, definition, owner, toBase64(spki), jkt, digest],
        );
      },
    });
    const agent: Agent = {
      ...{ id, kind, name, spiffe, how, definition, owner, spki, jkt },
      enrolled: recorded.digest,
      revoked: null,
    };
    this.remember(agent);
    await recorded.durable;
    return agent;
  }

  /**
   * From this call on nothing that this key signs is admitted. Returns the digest of the statement.
   * @throws AuthorityError unknown-agent, agent-revoked
   */
  async revoke(id: string, reason: string): Promise<string> {
    const agent = this.byId.get(id);
    if (!agent) throw new AuthorityError('unknown-agent', `no agent ${id} is enrolled`);
    if (agent.revoked) throw new AuthorityError('agent-revoked', `agent ${id} was revoked before`);
    const recorded = this.ground.record({
      ...serverAct,
      predicate: 'revoked',
      place: { series: 'agents' },
      subject: { name: `agent:${id}`, sha256: keyId(agent.spki) },
      body: { what: 'agent', id, reason },
      apply: (tx, { digest }) => {
        tx.run('UPDATE agents SET revoked = ? WHERE id = ?', digest, id);
      },
    });
    this.byId.set(id, { ...agent, revoked: recorded.digest });
    await recorded.durable;
    return recorded.digest;
  }

  /**
   * From this call on nobody enrols under this name, by a code that was given before or by a rule of a policy that was
   * activated before. Returns the digest of the statement.
   */
  async revokeName(name: string, reason: string): Promise<string> {
    this.barred.set(name, Number.POSITIVE_INFINITY);
    const recorded = this.ground.record({
      ...serverAct,
      predicate: 'revoked',
      place: { series: 'agents' },
      subject: { name: `agent-name:${name}`, sha256: toHex(sha256(utf8(name))) },
      body: { what: 'name', id: name, reason },
      apply: (tx, { digest, index }) => {
        tx.run('DELETE FROM invitations WHERE name = ? AND agent IS NULL', name);
        tx.run(
          `INSERT INTO revoked_names (name, statement, at) VALUES (?, ?, ?)
           ON CONFLICT (name) DO UPDATE SET statement = excluded.statement, at = excluded.at`,
          ...[name, digest, index],
        );
      },
    });
    const { index } = await recorded.durable;
    this.barred.set(name, index);
    return recorded.digest;
  }

  /** True if the name was revoked and no policy after that, from this log index on, trusted it again. */
  isBarred(name: string, policyIndex: number): boolean {
    return policyIndex < (this.barred.get(name) ?? -1);
  }

  list(): readonly Agent[] {
    return [...this.byId.values()];
  }

  get(id: string): Agent | undefined {
    return this.byId.get(id);
  }

  byJkt(jkt: string): Agent | undefined {
    return this.byId.get(this.idOfJkt.get(jkt) ?? '');
  }

  /** All instances of the agent with this id or this name, also of other definitions. @throws AuthorityError unknown-agent */
  instancesOf(nameOrId: string): readonly Agent[] {
    const byId = this.byId.get(nameOrId);
    const found = byId ? [byId] : this.list().filter(({ name }) => name === nameOrId);
    if (found.length === 0) throw new AuthorityError('unknown-agent', `no agent ${nameOrId} is enrolled`);
    return found;
  }

  /** @throws AuthorityError unknown-agent, agent-revoked */
  requireLive(id: string): Agent {
    const agent = this.byId.get(id);
    if (!agent) throw new AuthorityError('unknown-agent', `no agent ${id} is enrolled`);
    if (agent.revoked) throw new AuthorityError('agent-revoked', `agent ${id} was revoked: enrol a new key`);
    return agent;
  }

  private remember(agent: Agent): void {
    this.byId.set(agent.id, agent);
    this.idOfJkt.set(agent.jkt, agent.id);
    this.ground.holders.add(keyId(agent.spki));
  }
}

/** A subject is a name and a definition: `spiffe://<trust domain>/agent/<name>[/<definition>]`. */
function spiffeOf(origin: string, name: string, definition: string | null): string {
  return `spiffe://${trustDomainOf(origin)}/agent/${name}${definition === null ? '' : `/${definition}`}`;
}

function hashOf(code: string): string {
  return toHex(sha256(utf8(`deed-enrol-code-v1\0${code}`)));
}
