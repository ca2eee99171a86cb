import { jwkThumbprint, parseSshPublicKey } from '@deed/evidence';
import { ServerError, sshAgentIdentities, sshAgentSigner } from '@deed/server';
import type { Client } from './client.ts';

/** A P-256 key that an ssh-agent holds. */
export interface HeldKey {
  readonly spki: Uint8Array;
  readonly jkt: string;
  /** Its ES256 signature: r and s, 32 bytes each. */
  readonly sign: (data: Uint8Array) => Promise<Uint8Array>;
}

interface EnrolledAgent {
  readonly id: string;
  readonly spiffe: string;
  readonly jkt: string;
  readonly revoked: boolean;
}

/** Where the ssh-agent listens that is named in the place of a key file: `ssh-agent`, or `ssh-agent:SOCKET`. Undefined: a file. */
export function socketOf(key: string): string | undefined {
  if (key !== 'ssh-agent' && !key.startsWith('ssh-agent:')) return undefined;
  const socket = key.slice('ssh-agent:'.length) || process.env.SSH_AUTH_SOCK;
  if (!socket)
    throw new ServerError('request', 'SSH_AUTH_SOCK is not set: say where it listens, --key ssh-agent:SOCKET');
  return socket;
}

/** The first of its keys that is nobody's yet. @throws ServerError request; AuthorityError ssh-agent */
export async function freshKeyIn(socket: string, client: Client): Promise<HeldKey> {
  const taken = new Set((await agentsOf(client)).map(({ jkt }) => jkt));
  const fresh = (await keysIn(socket)).find(({ jkt }) => !taken.has(jkt));
  if (fresh) return fresh;
  const make = 'make one with ssh-keygen -t ecdsa -b 256, and ssh-add it';
  throw new ServerError('request', `the ssh-agent holds no P-256 key that is nobody's: ${make}`);
}

/**
 * The enrolled agent whose key an ssh-agent holds; of several the one that the task is given to.
 * @throws ServerError request; AuthorityError ssh-agent
 */
export async function identityIn(socket: string, client: Client, task: string) {
  const keys = new Map((await keysIn(socket)).map((key) => [key.jkt, key]));
  const known = (await agentsOf(client)).filter(({ jkt, revoked }) => !revoked && keys.has(jkt));
  const { agent } =
    known.length > 1 ? await client.get<{ agent: string | null }>(`/v1/tasks/${task}`) : { agent: null };
  const [found, ...others] = agent === null ? known : known.filter(({ spiffe }) => spiffe === agent);
  const key = found && keys.get(found.jkt);
  if (!key) throw new ServerError('request', 'the ssh-agent holds the key of no agent that is enrolled for this task');
  if (others.length > 0)
    throw new ServerError('request', 'the ssh-agent holds keys of several such agents: leave it one');
  const { origin } = await client.get<{ origin: string }>('/v1/status');
  return { key, spiffe: found.spiffe, origin };
}

async function agentsOf(client: Client): Promise<readonly EnrolledAgent[]> {
  return (await client.get<{ agents: readonly EnrolledAgent[] }>('/v1/agents')).agents;
}

async function keysIn(socket: string): Promise<readonly HeldKey[]> {
  return (await sshAgentIdentities(socket)).flatMap(({ key }) => {
    const { type, spki } = parseSshPublicKey(key);
    if (type === 'ssh-ed25519') return []; // agents sign ES256
    return [{ spki, jkt: jwkThumbprint(spki), ...sshAgentSigner(key, socket) }];
  });
}
