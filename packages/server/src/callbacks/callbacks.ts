import { setImmediate as breathe } from 'node:timers/promises';
import type { Clock, StaticSecrets } from '@deed/authority';
import type { Ledger } from '@deed/ledger';
import { ServerError } from '../errors.ts';
import { httpSignature, type SigningKey } from './http-signature.ts';
import { type Callback, type Delivery, Outbox } from './outbox.ts';
import { send } from './send.ts';
import { newWebhookSecret, webhookHeaders } from './standard-webhooks.ts';

const lookMs = 1_000;
const firstWaitMs = 5_000;
const longestWaitMs = 3_600_000;
const maxTries = 12;
const gone = 410;

export interface CallbacksOptions {
  readonly ledger: Ledger;
  readonly secrets: StaticSecrets;
  readonly clock: Clock;
  /** Signs each message as well, for who has no secret: the key of the role `token`. */
  readonly key: SigningKey;
  /** Between 0 and 1. Default: `Math.random`. */
  readonly random?: () => number;
}

export interface CallbackView extends Callback {
  readonly waiting: number;
  readonly dead: number;
}

/** Tells others what the log says, signed, at least once: what is to be told is derived from committed entries. */
export class Callbacks {
  private readonly outbox: Outbox;
  private readonly options: CallbacksOptions;
  private readonly running = new Map<string, Promise<void>>();
  private readonly ending = new AbortController();
  private looking: Promise<void> = Promise.resolve();
  private cancel = () => {};
  private isLooking = false;

  constructor(options: CallbacksOptions) {
    this.options = options;
    this.outbox = new Outbox(options.ledger.database);
    this.schedule();
  }

  /** Nothing is under way: what was due was tried, and how that ended is written down. */
  get isIdle(): boolean {
    return !this.isLooking && this.running.size === 0;
  }

  list(): readonly CallbackView[] {
    return this.outbox.list().map((callback) => ({
      ...callback,
      waiting: this.outbox.waiting(callback.name),
      dead: this.outbox.dead(callback.name).length,
    }));
  }

  /** From the next entry on. Gives the secret that signs: the given one, or a new one. */
  add(callback: Omit<Callback, 'gone'>, given: string | undefined): string {
    const secret = given ?? newWebhookSecret();
    this.options.secrets.put(secretName(callback.name), secret);
    this.outbox.add(callback, this.options.ledger.size);
    return secret;
  }

  /** @throws ServerError not-found */
  remove(name: string): void {
    this.required(name);
    this.outbox.remove(name);
    this.options.secrets.remove(secretName(name));
  }

  /** What is no longer tried. @throws ServerError not-found */
  dead(name: string): readonly (Delivery & { readonly statement: string | null })[] {
    this.required(name);
    const statement = (index: number) => this.outbox.message(index)?.id ?? null;
    return this.outbox.dead(name).map((delivery) => ({ ...delivery, statement: statement(delivery.index) }));
  }

  /** @throws ServerError not-found */
  retry(name: string): number {
    this.required(name);
    return this.outbox.retry(name);
  }

  /** Sends one signed message that tells of nothing, now. @throws ServerError not-found */
  async test(name: string): Promise<{ readonly arrived: boolean; readonly detail: string }> {
    const callback = this.required(name);
    const { clock, ledger } = this.options;
    const id = `test-${clock.now()}`;
    const source = `urn:deed:${encodeURIComponent(ledger.origin)}`;
    const time = new Date(clock.now()).toISOString();
    const body = JSON.stringify({ specversion: '1.0', id, source, type: 'deed.test', time });
    const { arrived, detail } = await this.post(callback, id, body);
    return { arrived, detail };
  }

  /** Stops sending. What has not arrived is sent by the next run. */
  async close(): Promise<void> {
    this.ending.abort();
    this.cancel();
    await this.looking;
    await Promise.all(this.running.values());
  }

  private schedule(): void {
    if (this.ending.signal.aborted) return;
    this.cancel = this.options.clock.after(lookMs, () => {
      this.isLooking = true;
      this.looking = this.look()
        .catch((error: Error) => void process.stderr.write(`deed: callbacks: ${error.message}\n`))
        .finally(() => {
          this.isLooking = false;
          this.schedule();
        });
    });
  }

  private async look(): Promise<void> {
    while (!this.ending.signal.aborted && this.outbox.collect(this.options.ledger.size)) await breathe();
    // One slow receiver holds up no other.
    for (const callback of this.outbox.list()) {
      if (callback.gone || this.running.has(callback.name)) continue;
      const run = this.deliver(callback)
        .catch((error: Error) => void process.stderr.write(`deed: callback ${callback.name}: ${error.message}\n`))
        .finally(() => this.running.delete(callback.name));
      this.running.set(callback.name, run);
    }
  }

  private async deliver(callback: Callback): Promise<void> {
    const { outbox, options } = this;
    const { name } = callback;
    for (;;) {
      const next = this.ending.signal.aborted ? undefined : outbox.due(name, options.clock.now());
      const message = next && outbox.message(next.index);
      if (!next || !message) return;
      const { arrived, status, detail } = await this.post(callback, message.id, message.body);
      // The row may have gone with its callback meanwhile: then this changes nothing.
      if (arrived) outbox.arrived(name, next.index);
      else if (this.ending.signal.aborted) return;
      else if (status === gone) {
        outbox.failed(name, next.index, detail, null);
        outbox.gone(name);
        return;
      } else outbox.failed(name, next.index, detail, this.againAt(next.tries + 1));
    }
  }

  /** Twice as long each time, less up to a half at random; null after the last try. */
  private againAt(tries: number): number | null {
    if (tries >= maxTries) return null;
    const waitMs = Math.min(firstWaitMs * 2 ** (tries - 1), longestWaitMs);
    return Math.round(this.options.clock.now() + waitMs * (1 - (this.options.random ?? Math.random)() / 2));
  }

  private async post({ name, url, network }: Callback, id: string, body: string) {
    const { secrets, clock, key } = this.options;
    try {
      const signed = webhookHeaders(secrets.get(secretName(name)), id, body, clock.now());
      const plain = { 'content-type': 'application/cloudevents+json; charset=utf-8', ...signed };
      const headers = { ...plain, ...httpSignature({ url, headers: plain, body }, key, clock.now()) };
      const status = await send({ url, network, headers, body, signal: this.ending.signal });
      return { arrived: status >= 200 && status < 300, status, detail: `answered ${status}` };
    } catch (error) {
      return { arrived: false, status: null, detail: (error as Error).message };
    }
  }

  private required(name: string): Callback {
    const found = this.outbox.list().find((one) => one.name === name);
    if (!found) throw new ServerError('not-found', `there is no callback ${name}`);
    return found;
  }
}

/** No broker's name has a colon. */
function secretName(name: string): string {
  return `callback:${name}`;
}
