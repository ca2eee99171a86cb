import { GitError } from './errors.ts';
import { type AllowedPush, notSent, type PushReport } from './push-window.ts';

export interface ForgeCredential {
  readonly id: string;
  readonly secret: string;
}

export interface PushWindow {
  /** Settles once: after the push, or with `not-sent` when the window closes unused or something else was pushed. */
  readonly result: Promise<PushReport>;
  /** Closes the window if nothing used it yet. A push under way goes on and is reported. */
  close(): void;
}

/** A taken window: the one push it allowed is being judged, and whoever took it must settle it. */
export interface TakenWindow {
  readonly allowed: AllowedPush;
  settle(report: PushReport): void;
}

/** The window of one session: at most one is open, and one push takes it whatever comes of it. */
export class WindowSlot {
  #open: TakenWindow | undefined;
  #close: (() => void) | undefined;

  /** @throws GitError window */
  open(allowed: AllowedPush, signal?: AbortSignal): PushWindow {
    if (this.#open !== undefined) throw new GitError('window', 'a push is already allowed: await or close it first');
    if (allowed.updates.length === 0) throw new GitError('window', 'a push of no refs cannot be allowed');
    if (new Set(allowed.updates.map((update) => update.ref)).size !== allowed.updates.length) {
      throw new GitError('window', 'one ref cannot be allowed twice');
    }
    const { promise, resolve } = Promise.withResolvers<PushReport>();
    const updates = allowed.updates.map(({ ref, old, new: to }) => ({ ref, old, new: to }));
    const copy: AllowedPush = { repository: allowed.repository, updates };
    const window: TakenWindow = { allowed: copy, settle: resolve };
    const close = (): void => {
      if (this.#open !== window) return;
      this.#open = undefined;
      resolve(notSent(copy, 'the window was closed before anything was pushed'));
    };
    this.#open = window;
    this.#close = close;
    if (signal?.aborted) close();
    signal?.addEventListener('abort', close, { once: true });
    void promise.then(() => signal?.removeEventListener('abort', close));
    return { result: promise, close };
  }

  /** Closes the window if one is open. */
  close(): void {
    this.#close?.();
  }

  take(): TakenWindow | undefined {
    const window = this.#open;
    this.#open = undefined;
    return window;
  }
}

/** The start of every repository's URL at the forge, ending in "/". @throws GitError session */
export function forgeBase(forgeUrl: string): URL {
  const url = URL.canParse(forgeUrl) ? new URL(forgeUrl) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') {
    throw new GitError('session', 'the forge URL must be http or https, without user or password');
  }
  if (url.search !== '' || url.hash !== '') throw new GitError('session', 'the forge URL must end with its path');
  const loopback = /^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname);
  if (url.protocol === 'http:' && !loopback) {
    throw new GitError('session', `${url.host} is not this machine: a credential goes there over https only`);
  }
  if (!url.pathname.endsWith('/')) url.pathname += '/';
  return url;
}

/**
 * The whole of what a tool's git needs to reach the forge through the relay; none of it is secret but the base URL,
 * and that only asks a relay which refuses. GIT_CONFIG_* count as command line options, so a repository's own
 * configuration cannot override them; only http is left as a protocol, so neither a path nor ssh leads around.
 */
export function gitEnvironment(baseUrl: string, forge: URL): Readonly<Record<string, string>> {
  const config: readonly (readonly [key: string, value: string])[] = [
    [`url.${baseUrl}.insteadOf`, forge.href],
    [`url.${baseUrl}.pushInsteadOf`, forge.href],
    [`http.${baseUrl}.proxy`, ''],
    ['http.proxy', ''],
    ['http.followRedirects', 'false'],
    ['core.hooksPath', '/dev/null'],
    ['core.fsmonitor', 'false'],
    ['credential.helper', ''],
    ['push.recurseSubmodules', 'no'],
    ['push.gpgSign', 'false'],
  ];
  const env: Record<string, string> = {
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_ALLOW_PROTOCOL: 'http',
    GIT_TERMINAL_PROMPT: '0',
    // Set and empty: neither core.askPass nor SSH_ASKPASS is run.
    GIT_ASKPASS: '',
    // Whatever proxy a repository configures, this address is reached directly.
    NO_PROXY: '127.0.0.1',
    no_proxy: '127.0.0.1',
    GIT_CONFIG_COUNT: String(config.length),
  };
  for (const [index, [key, value]] of config.entries()) {
    env[`GIT_CONFIG_KEY_${index}`] = key;
    env[`GIT_CONFIG_VALUE_${index}`] = value;
  }
  return env;
}
