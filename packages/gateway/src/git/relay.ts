import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { GitError } from './errors.ts';
import type { AllowedPush } from './push-window.ts';
import { differenceFrom, notSent, reportOf } from './push-window.ts';
import { type RefUpdate, readReceivePackHead } from './receive-pack.ts';
import { advertisedRefs, forwardPush, forwardRead, type Upstream } from './relay-forward.ts';
import { type ForgeCredential, forgeBase, gitEnvironment, type PushWindow, WindowSlot } from './relay-session.ts';

export interface RelaySession {
  /** Where the tool's git finds the forge: a URL on 127.0.0.1 with an unguessable path, ending in "/". */
  readonly baseUrl: string;
  readonly forgeUrl: string;
  /** Environment of the tool's process; it holds no credential. */
  readonly gitEnv: Readonly<Record<string, string>>;
  /**
   * Lets exactly these updates pass, once. The next push of this session closes the window, also when it differs.
   * @throws GitError window (one is open, or no updates), session (closed)
   */
  allow(push: AllowedPush, signal?: AbortSignal): PushWindow;
  /** The refs of a repository as the forge itself advertises them, read by the relay. @throws GitError git, timeout, session */
  refs(repository: string): Promise<ReadonlyMap<string, string>>;
  /** From now on its path is unknown (404). A push under way ends and is reported. */
  close(): void;
}

export interface RelayLimits {
  /** Largest pack of one push, in bytes. */
  readonly maxPackBytes: number;
  /** Largest request of one fetch, in bytes. */
  readonly maxReadBytes: number;
  /** How long the forge may stay silent, in milliseconds. */
  readonly idleMs: number;
}

const defaultLimits: RelayLimits = { maxPackBytes: 2 ** 31, maxReadBytes: 2 ** 24, idleMs: 120_000 };

/** A push that the relay refused: without an open window, or other than approved. */
export interface RefusedPush {
  readonly repository: string;
  readonly updates: readonly RefUpdate[];
  readonly why: string;
}

export interface SessionOptions {
  /** Start of every repository's URL at the forge: https, or http on this machine. */
  readonly forgeUrl: string;
  readonly credential: ForgeCredential;
  /** Told of each refused push before the tool is: refusals are evidence too. Must not throw. */
  readonly onRefused?: (push: RefusedPush) => void;
}

interface Session {
  readonly onRefused: ((push: RefusedPush) => void) | undefined;
  readonly upstream: Upstream;
  readonly slot: WindowSlot;
}

interface Route {
  readonly session: Session;
  readonly repository: string;
  readonly action: string;
}

/** The path names a repository without escapes, dots or empty parts, so that it cannot mean two things. */
const routePattern =
  /^\/([A-Za-z0-9_-]{43})\/((?:[A-Za-z0-9_][A-Za-z0-9._-]*\/){0,8}[A-Za-z0-9_][A-Za-z0-9._-]*?)(?:\.git)?\/(info\/refs\?service=git-upload-pack|info\/refs\?service=git-receive-pack|git-upload-pack|git-receive-pack)$/;

/**
 * The only way from a tool's git to the forge. It adds the task's credential, lets reads pass, and lets a push pass
 * only while a window is open for exactly the updates on the wire: whatever the arguments of a call said, what was
 * approved is what arrives.
 */
export class GitRelay {
  readonly #server: Server;
  readonly #sessions = new Map<string, Session>();
  readonly #limits: RelayLimits;

  private constructor(limits: RelayLimits) {
    this.#limits = limits;
    this.#server = createServer((request, response) => void this.#handle(request, response));
    this.#server.requestTimeout = 0; // a large pack takes its time; a silent peer meets idleMs instead
    this.#server.timeout = limits.idleMs;
  }

  static async start(limits: Partial<RelayLimits> = {}): Promise<GitRelay> {
    const relay = new GitRelay({ ...defaultLimits, ...limits });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    relay.#server.once('error', reject).listen(0, '127.0.0.1', resolve);
    await promise;
    return relay;
  }

  /** @throws GitError session (a forge URL that is not usable, a credential that Basic cannot carry) */
  open(options: SessionOptions): RelaySession {
    const { id, secret } = options.credential;
    if (id.includes(':')) throw new GitError('session', 'a credential id must not hold ":"');
    const forge = forgeBase(options.forgeUrl);
    const key = randomBytes(32).toString('base64url');
    const { port } = this.#server.address() as AddressInfo;
    const baseUrl = `http://127.0.0.1:${port}/${key}/`;
    const authorization = `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`;
    const session: Session = {
      upstream: { forge, authorization, ...this.#limits },
      slot: new WindowSlot(),
      onRefused: options.onRefused,
    };
    this.#sessions.set(key, session);
    const mustBeOpen = (): void => {
      if (this.#sessions.get(key) !== session) throw new GitError('session', 'the relay session is closed');
    };
    return {
      baseUrl,
      forgeUrl: forge.href,
      gitEnv: gitEnvironment(baseUrl, forge),
      allow: (push, signal) => {
        mustBeOpen();
        return session.slot.open(push, signal);
      },
      refs: async (repository) => {
        mustBeOpen();
        return advertisedRefs(session.upstream, repository);
      },
      close: () => {
        this.#sessions.delete(key);
        session.slot.close();
      },
    };
  }

  /** Ends every session and connection. A push under way becomes `unknown`. */
  async close(): Promise<void> {
    for (const { slot } of this.#sessions.values()) slot.close();
    this.#sessions.clear();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    this.#server.closeAllConnections();
    await promise;
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    request.on('error', () => response.destroy());
    response.on('error', () => request.destroy());
    try {
      const [, key = '', repository = '', action = ''] = routePattern.exec(request.url ?? '') ?? [];
      const session = this.#sessions.get(key);
      if (session === undefined) return answer(response, 404, 'no such repository');
      if (request.method !== (action.startsWith('info/') ? 'GET' : 'POST'))
        return answer(response, 405, 'no such action');
      const route: Route = { session, repository, action };
      if (action !== 'git-receive-pack') await forwardRead(session.upstream, route, request, response);
      else await push(route, request, response);
    } catch (cause) {
      const text = cause instanceof GitError ? cause.message : 'the relay failed';
      if (!response.headersSent) answer(response, cause instanceof GitError && cause.code !== 'git' ? 400 : 502, text);
      else response.destroy();
    }
  }
}

async function push(route: Route, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { upstream, slot } = route.session;
  if ((request.headers['content-encoding'] ?? 'identity') !== 'identity') {
    return answer(response, 415, 'Deed refused this push: an encoded body cannot be compared with its approval');
  }
  // Left open on return: a refusal must reach a tool that is still sending.
  const body = request.iterator({ destroyOnReturn: false }) as AsyncIterableIterator<Uint8Array>;
  const { head, read } = await readReceivePackHead(body);
  const incoming = { request, response, body, read, head };
  if (head.updates.length === 0) return void (await forwardPush(upstream, route, incoming));

  // Taken before the comparison: a push that differs uses the window up, so it cannot be tried until it fits.
  const window = slot.take();
  const difference = window && differenceFrom(window.allowed, route.repository, head.updates);
  if (window === undefined || difference !== undefined) {
    window?.settle(notSent(window.allowed, `something else was pushed: ${difference}`));
    const why = window === undefined ? 'no approval is open for it' : `it is not what was approved: ${difference}`;
    route.session.onRefused?.({ repository: route.repository, updates: head.updates, why });
    answer(response, 403, `Deed refused this push: ${why}`);
    await body.return?.();
    request.resume();
    return;
  }
  window.settle(reportOf(window.allowed, await forwardPush(upstream, route, incoming)));
}

function answer(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8' }).end(`${text}\n`);
}
