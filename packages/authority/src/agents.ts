import {
  type CitedAgent,
  fromBase64,
  jwkThumbprint,
  keyId,
  newId,
  randomBytes,
  sha256,
  toBase64,
  toBase64Url,
  toHex,
  utf8,
  verifyP256,
} from '@deed/evidence';
import { AuthorityError } from './errors.ts';
import { type Ground, serverAct, trustDomainOf } from './ground.ts';
import { requireP256Spki } from './keys/p256.ts';

const invitationMs = 15 * 60_000;
const agentName = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

/** One instance of an agent: an enrolled key. */
export interface Agent {
  readonly id: string;
  readonly name: string;
  readonly spiffe: string;
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
  readonly expires_ms: number;
}

/** What a new key signs to be enrolled (ES256, DER): a code of its own domain, for one deployment and one key. */
export function enrolmentChallenge(origin: string, code: string, spki: Uint8Array): Uint8Array {
  return utf8(`deed-enrol-v1\0${origin}\0${code}\0${toBase64(spki)}`);
}

/** The enrolled agents, and how new ones come in. */
export class Agents {
  private readonly ground: Ground;
  private readonly byId = new Map<string, Agent>();
  private readonly idOfJkt = new Map<string, string>();
  /** Codes that are being redeemed: reserved before the statement, so that a code is used once. */
  private readonly redeeming = new Set<string>();

  constructor(ground: Ground) {
    this.ground = ground;
    const columns = 'id, name, spiffe, definition, spki, jkt, enrolled, revoked';
    for (const row of ground.db.all<Row>(`SELECT ${columns} FROM agents ORDER BY id`)) {
      this.remember({ ...row, spki: fromBase64(row.spki) });
    }
  }

  /**
   * A one-time code that lets one new key become an instance of the named agent within 15 minutes. Only its hash is kept.
   * `definition`: hex SHA-256 of the agent's declared configuration.
   * @throws AuthorityError name
   */
  invite(name: string, definition: string | null = null): { readonly code: string; readonly expiresMs: number } {
    if (!agentName.test(name)) {
      throw new AuthorityError('name', 'an agent name has 1 to 63 letters, digits, dots, dashes or underscores');
    }
    const code = toBase64Url(randomBytes(24));
    const expiresMs = this.ground.clock.now() + invitationMs;
    this.ground.db.transaction((tx) => {
      tx.run('DELETE FROM invitations WHERE expires_ms < ? AND agent IS NULL', this.ground.clock.now() - invitationMs);
      tx.run(
        'INSERT INTO invitations (code_hash, name, definition, expires_ms, agent) VALUES (?, ?, ?, ?, NULL)',
        ...[hashOf(code), name, definition, expiresMs],
      );
    });
    return { code, expiresMs };
  }

  /**
   * Enrols a new key. `proof` is the key's signature over {@link enrolmentChallenge}.
   * @throws AuthorityError code (unknown, used, too old), key, proof-of-key
   */
  async redeem(code: string, spki: Uint8Array, proof: Uint8Array): Promise<Agent> {
    const { db, clock, keys, origin } = this.ground;
    const hash = hashOf(code);
    requireP256Spki(spki);
    const invitation = db.get<Invitation>(
      'SELECT code_hash, name, definition, expires_ms FROM invitations WHERE code_hash = ? AND agent IS NULL',
      hash,
    );
    if (!invitation || this.redeeming.has(hash) || invitation.expires_ms <= clock.now()) {
      throw new AuthorityError('code', 'this code is unknown, used, or older than 15 minutes: ask for a new one');
    }
    if (!verifyP256(spki, enrolmentChallenge(origin, code, spki), proof)) {
      throw new AuthorityError('proof-of-key', 'the new key did not sign the challenge of this code');
    }
    const jkt = jwkThumbprint(spki);
    if (this.ground.holders.has(keyId(spki))) {
      throw new AuthorityError('key', 'this key has a holder already: make a fresh one');
    }
    const { name, definition } = invitation;
    const id = newId('agent', clock.now());
    const spiffe = `spiffe://${trustDomainOf(origin)}/agent/${name}`;
    const recorded = this.ground.record({
      ...serverAct,
      predicate: 'agent-enrolled',
      place: { series: 'agents' },
      subject: { name: `agent:${id}`, sha256: keyId(spki) },
      body: { agent: id, spiffe, definition, key: { alg: 'ES256', spki: toBase64(spki), jkt }, how: 'one-time-code' },
      signer: keys.registrar,
      apply: (tx, { digest }) => {
        const used = tx.run('UPDATE invitations SET agent = ? WHERE code_hash = ? AND agent IS NULL', id, hash);
        if (used !== 1) throw new Error('an invitation was used twice');
        tx.run(
          'INSERT INTO agents (id, name, spiffe, definition, spki, jkt, enrolled) VALUES (?, ?, ?, ?, ?, ?, ?)',
          ...[id, name, spiffe, definition, toBase64(spki), jkt, digest],
        );
      },
    });
    this.redeeming.add(hash);
    const agent: Agent = { id, name, spiffe, definition, spki, jkt, enrolled: recorded.digest, revoked: null };
    this.remember(agent);
    await recorded.durable;
    this.redeeming.delete(hash);
    return agent;
  }

  /** From this call on nothing that this key signs is admitted. @throws AuthorityError unknown-agent, agent-revoked */
  async revoke(id: string, reason: string): Promise<void> {
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

function hashOf(code: string): string {
  return toHex(sha256(utf8(`deed-enrol-code-v1\0${code}`)));
}
