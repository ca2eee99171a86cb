import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

/** By the scheme of whom a delivery is authenticated: GitHub (`X-Hub-Signature-256`), GitLab (`X-Gitlab-Token`), Stripe (`Stripe-Signature`), Standard Webhooks. */
export const senders = ['github', 'gitlab', 'stripe', 'standard'] as const;
export type Sender = (typeof senders)[number];

/** A header of a request by its name in small letters. */
export type Header = (name: string) => string | undefined;

/** How old a delivery that names its time may be, and how far ahead, in seconds: as Stripe's own libraries have it. */
const toleranceS = 300;

/** Headers that are kept with a delivery; none of them is a secret. */
export const keptHeaders: Readonly<Record<Sender, readonly string[]>> = {
  github: ['x-github-delivery', 'x-github-event', 'x-github-hook-installation-target-id'],
  gitlab: ['x-gitlab-event', 'x-gitlab-event-uuid', 'x-gitlab-webhook-uuid', 'x-gitlab-instance', 'idempotency-key'],
  stripe: [],
  standard: ['webhook-id', 'webhook-timestamp'],
};

/** Whether who sent these exact bytes knows the secret, and, where the scheme tells the time, sent them just now. */
export function isFrom(sender: Sender, secret: string, header: Header, body: Uint8Array, nowMs: number): boolean {
  return checks[sender](secret, header, body, nowMs / 1000);
}

const checks: Readonly<Record<Sender, (secret: string, header: Header, body: Uint8Array, now: number) => boolean>> = {
  github(secret, header, body) {
    const given = header('x-hub-signature-256');
    return given !== undefined && isEqual(given, `sha256=${hmac(secret, body).toString('hex')}`);
  },
  gitlab(secret, header) {
    const given = header('x-gitlab-token');
    // Of tokens that need not be equally long their hashes are compared.
    return given !== undefined && timingSafeEqual(sha256(given), sha256(secret));
  },
  stripe(secret, header, body, now) {
    const parts = (header('stripe-signature') ?? '').split(',').map((part) => part.trim().split('=', 2));
    const time = parts.find(([name]) => name === 't')?.[1] ?? '';
    const given = parts.flatMap(([name, value]) => (name === 'v1' && value ? [value] : []));
    const wanted = hmac(secret, `${time}.`, body).toString('hex');
    return isNow(time, now) && given.some((each) => isEqual(each, wanted));
  },
  standard(secret, header, body, now) {
    const [id, time] = [header('webhook-id'), header('webhook-timestamp') ?? ''];
    const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
    if (!id || !isNow(time, now)) return false;
    const wanted = hmac(key, `${id}.${time}.`, body).toString('base64');
    const given = (header('webhook-signature') ?? '').split(' ').filter((each) => each.startsWith('v1,'));
    return given.some((each) => isEqual(each.slice(3), wanted));
  },
};

function isNow(time: string, now: number): boolean {
  return /^[0-9]{1,12}$/.test(time) && Math.abs(now - Number(time)) <= toleranceS;
}

function hmac(key: string | Buffer, ...parts: readonly (string | Uint8Array)[]): Buffer {
  const mac = createHmac('sha256', key);
  for (const part of parts) mac.update(part);
  return mac.digest();
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/** Compared as texts: what decodes to the same bytes in another spelling is none of theirs. */
function isEqual(given: string, wanted: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(wanted)];
  return a.length === b.length && timingSafeEqual(a, b);
}
