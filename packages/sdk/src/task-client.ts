import { randomUUID } from 'node:crypto';
import { ActionRefused, ServerUnreachable } from './errors.ts';
import { type AgentIdentity, readAgentKey } from './identity.ts';
import { TaskTokens } from './task-tokens.ts';

export interface TaskClientOptions {
  /** Where the server is reached, as it calls itself: `https://deed.example`. */
  readonly url: string;
  /** The key file of the enrolled agent, or what it says. */
  readonly key: string | AgentIdentity;
  /** The open task to act in: `tsk_…`. */
  readonly task: string;
}

/** A call as it is asked for. */
export interface ActionRequest {
  /** For calls of one's own `self:<name>`; for those that the gateway makes a registered service. */
  readonly server: string;
  readonly tool: string;
  /** Recorded to the letter. */
  readonly arguments: Readonly<Record<string, unknown>>;
  /** The model's own id of the tool call. */
  readonly toolCallId?: string | undefined;
  /** One key is one action, however often it is sent. Default: a new one. */
  readonly idempotencyKey?: string | undefined;
}

/** How it stands with an action: docs/formats/http-api.md. */
export interface Action {
  readonly action: string;
  readonly state: 'asked' | 'begun' | 'ok' | 'error' | 'unknown';
  readonly tier: string | null;
  /** Digest of the intent. */
  readonly intent: string | null;
  /** Digest of the outcome. */
  readonly outcome: string | null;
  readonly expires: string | null;
  /** What a service answered the gateway. */
  readonly response: {
    readonly status: number | null;
    readonly type: string;
    readonly text?: string;
    readonly base64?: string;
  } | null;
}

/** An action that waits for people. */
export interface Held {
  readonly action: string;
  readonly state: 'held';
  readonly approval: { readonly page: string | null; readonly expires: string; readonly message: string };
}

export interface ExecuteOptions {
  /** Ends the waiting for people; what was asked of them stays. */
  readonly signal?: AbortSignal;
  /** Told once when the action begins to wait for people. */
  readonly onHeld?: (held: Held) => void;
}

const attempts = 4;
const firstPauseMs = 250;
const waitSeconds = 25;
/** Codes that another token may mend. */
const renewable: ReadonlySet<string> = new Set(['token-expired', 'token-epoch', 'stale-proof', 'proof-expired']);

/** An enrolled agent at work in one task. */
export class TaskClient {
  readonly task: string;
  private readonly url: string;
  private readonly tokens: TaskTokens;

  /** @throws DeedSdkError if the key file cannot be read */
  constructor({ url, key, task }: TaskClientOptions) {
    this.url = url.replace(/\/$/, '');
    this.task = task;
    this.tokens = new TaskTokens(this.url, typeof key === 'string' ? readAgentKey(key) : key, task);
  }

  /**
   * Asks for leave to make a call. What it resolves with is durable: the call may be made if `state` is `begun`, and its
   * {@link result} is to be told by `expires`.
   * @throws ActionRefused, ServerUnreachable
   */
  async act(request: ActionRequest & { readonly expiresSeconds?: number }): Promise<Action> {
    const { idempotencyKey = randomUUID() } = request;
    return this.post<Action>('/v1/actions', { request: 'act', ...request, idempotencyKey });
  }

  /** Tells what came of a call that was made. The same word again is no error. @throws ActionRefused, ServerUnreachable */
  async result(action: string, status: 'ok' | 'error' | 'unknown', result?: unknown): Promise<Action> {
    const path = `/v1/actions/${encodeURIComponent(action)}/result`;
    return this.post<Action>(path, { request: 'result', action, status, ...(result === undefined ? {} : { result }) });
  }

  /**
   * Has the gateway call a registered service, and waits for people where that needs them.
   * @throws ActionRefused (also when people say no, or nobody answers in time), ServerUnreachable
   */
  async execute(request: ActionRequest, { signal, onHeld }: ExecuteOptions = {}): Promise<Action> {
    const asked = { request: 'execute', ...request, idempotencyKey: request.idempotencyKey ?? randomUUID() };
    let told = false;
    for (;;) {
      const answer = await this.post<Action | Held>(`/v1/execute?wait=${waitSeconds}`, asked);
      if (answer.state !== 'held') return answer;
      if (!told) onHeld?.(answer);
      told = true;
      signal?.throwIfAborted();
    }
  }

  /** How it stands with an action; with `waitSeconds` once that changes, or after so long. @throws ActionRefused, ServerUnreachable */
  async state(
    action: string,
    { waitSeconds: wait = 0 }: { readonly waitSeconds?: number } = {},
  ): Promise<Action | Held> {
    const path = `/v1/actions/${encodeURIComponent(action)}`;
    return this.send<Action | Held>('GET', `${path}?wait=${wait}`, `GET ${path}`);
  }

  /** Asks for the task to be closed: its principal or an operator does it. @throws ActionRefused, ServerUnreachable */
  async askToClose(): Promise<void> {
    await this.post(`/v1/tasks/${this.task}/close`, { request: 'close', task: this.task });
  }

  private post<Answer>(path: string, body: object): Promise<Answer> {
    return this.send<Answer>('POST', path, JSON.stringify(body));
  }

  /** A request is one action by its key: it may be sent again until it is answered. */
  private async send<Answer>(method: 'GET' | 'POST', path: string, message: string): Promise<Answer> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.sendOnce<Answer>(method, path, message);
      } catch (error) {
        const again =
          error instanceof ServerUnreachable || (error instanceof ActionRefused && renewable.has(error.code));
        if (!again || attempt === attempts) throw error;
        if (error instanceof ActionRefused) this.tokens.renew();
        await new Promise((later) => setTimeout(later, firstPauseMs * 2 ** (attempt - 1)));
      }
    }
  }

  private async sendOnce<Answer>(method: 'GET' | 'POST', path: string, message: string): Promise<Answer> {
    const headers = { 'content-type': 'application/json', ...(await this.tokens.headers(message)) };
    const signal = AbortSignal.timeout((waitSeconds + 35) * 1000);
    let response: Response;
    let body: Record<string, unknown>;
    try {
      response = await fetch(`${this.url}${path}`, {
        method,
        headers,
        signal,
        ...(method === 'GET' ? {} : { body: message }),
      });
      body = (await response.json()) as Record<string, unknown>;
    } catch (cause) {
      throw new ServerUnreachable(`${this.url} did not answer: ${(cause as Error).message}`, { cause });
    }
    if (response.ok) return body as Answer;
    const {
      title = 'unknown',
      detail = '',
      action = null,
    } = body as { title?: string; detail?: string; action?: string | null };
    if (response.status === 503) throw new ServerUnreachable(`${this.url}: ${detail}`);
    throw new ActionRefused({ code: title, status: response.status, action, detail });
  }
}
