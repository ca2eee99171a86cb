import type { KeyObject } from 'node:crypto';
import * as net from 'node:net';
import {
  es256FromSsh,
  fromUtf8,
  makeSshsig,
  makeWord,
  parseSshPublicKey,
  sshSignedData,
  sshString,
  wordChallenge,
} from '@deed/evidence';
import { AuthorityError } from '../errors.ts';
import type { AgentSigner } from '../tokens/jwt.ts';
import type { PersonSigner } from './person-signer.ts';

const requestIdentities = 11;
const identitiesAnswer = 12;
const signRequest = 13;
const signResponse = 14;
const maxAnswerBytes = 256 * 1024;
const timeoutMs = 60_000; // an agent may ask its user to touch a token

export interface SshIdentity {
  /** The public key in SSH wire form. */
  readonly key: Uint8Array;
  readonly comment: string;
}

/**
 * The keys of the running agent that can give a word: Ed25519 and P-256 (draft-ietf-sshm-ssh-agent section 4.4).
 * @throws AuthorityError ssh-agent
 */
export async function sshAgentIdentities(socketPath = agentSocket()): Promise<readonly SshIdentity[]> {
  const answer = new Answer(await ask(socketPath, Buffer.from([requestIdentities])), identitiesAnswer);
  const found: SshIdentity[] = [];
  for (let left = answer.u32(); left > 0; left--) {
    const key = answer.string();
    const comment = fromUtf8(answer.string());
    if (isAccepted(key)) found.push({ key, comment });
  }
  return found;
}

/** A person whose key stays in the agent. @throws AuthorityError ssh-agent (when it is asked to sign) */
export function sshPersonSigner(key: Uint8Array, socketPath = agentSocket()): PersonSigner {
  return {
    kind: 'sshsig',
    public: key,
    async word(domain, bytes) {
      const signature = await signed(socketPath, key, sshSignedData(domain, wordChallenge(domain, bytes)));
      return makeWord(bytes, 'sshsig', key, makeSshsig(domain, key, signature));
    },
  };
}

/**
 * An agent's P-256 key that stays in the ssh-agent, which signs the very bytes of a JWT: ES256 and ecdsa-sha2-nistp256 are one algorithm.
 * @param key the public key in SSH wire form
 * @throws AuthorityError ssh-agent (when it is asked to sign)
 */
export function sshAgentSigner(key: Uint8Array, socketPath = agentSocket()): Exclude<AgentSigner, KeyObject> {
  return { sign: async (data) => es256FromSsh(await signed(socketPath, key, data)) };
}

async function signed(socketPath: string, key: Uint8Array, data: Uint8Array): Promise<Uint8Array> {
  const request = Buffer.concat([Buffer.from([signRequest]), sshString(key), sshString(data), Buffer.alloc(4)]);
  return new Answer(await ask(socketPath, request), signResponse).string();
}

function isAccepted(key: Uint8Array): boolean {
  try {
    parseSshPublicKey(key);
    return true;
  } catch {
    return false;
  }
}

function agentSocket(): string {
  const path = process.env.SSH_AUTH_SOCK;
  if (!path) throw new AuthorityError('ssh-agent', 'SSH_AUTH_SOCK is not set: start ssh-agent and ssh-add a key');
  return path;
}

/** One request, one answer: each framed by a 4-byte length. */
function ask(socketPath: string, request: Uint8Array): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(socketPath);
    const fail = (why: string, cause?: unknown) => {
      socket.destroy();
      reject(new AuthorityError('ssh-agent', why, { cause }));
    };
    let received = Buffer.alloc(0);
    socket.setTimeout(timeoutMs, () => fail('the ssh-agent did not answer within 60 s'));
    socket.on('error', (error) => fail(`cannot reach the ssh-agent at ${socketPath}`, error));
    socket.on('close', () => fail('the ssh-agent closed the connection'));
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 4) return;
      const size = received.readUInt32BE(0);
      if (size > maxAnswerBytes) return fail('the ssh-agent answered with too much');
      if (received.length < 4 + size) return;
      resolve(received.subarray(4, 4 + size));
      socket.destroy();
    });
    socket.write(sshString(request));
  });
}

class Answer {
  private at = 1;
  private readonly bytes: Buffer;
  constructor(bytes: Buffer, type: number) {
    if (bytes[0] !== type) throw new AuthorityError('ssh-agent', 'the ssh-agent refused: is the key still loaded?');
    this.bytes = bytes;
  }

  u32(): number {
    this.need(4);
    this.at += 4;
    return this.bytes.readUInt32BE(this.at - 4);
  }

  string(): Uint8Array {
    const size = this.u32();
    this.need(size);
    this.at += size;
    return new Uint8Array(this.bytes.subarray(this.at - size, this.at));
  }

  private need(size: number): void {
    if (this.at + size > this.bytes.length) throw new AuthorityError('ssh-agent', 'the ssh-agent answered too little');
  }
}
