import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { appendFileSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

/** What the service wrote down of one request. */
export interface PaymentRecord {
  readonly id: string;
  /** Rises by one with each record: one that is missing shows. */
  readonly seq: number;
  readonly time: string;
  readonly request: string;
  readonly idempotency: string | null;
  /** Id of the key that was shown; of a refused request the one that was claimed. */
  readonly key: string | null;
  readonly action: 'refund.created' | 'charge.read' | 'request.refused';
  readonly charge: string | null;
  readonly amount: string | null;
  readonly reason: string | null;
  readonly status: number;
}

export interface Payments {
  readonly url: string;
  /** Its own log, one JSON object a line. */
  readonly log: string;
  /** Bearer token of its administration: `PUT` and `DELETE` below `/admin/keys/`. */
  readonly adminToken: string;
  /** Sees each record before it is numbered and written, for tests: it may be left out, changed, or doubled. */
  tamper: (record: PaymentRecord) => readonly PaymentRecord[];
  /** While true records are numbered and lost, as on a disk that is full, for tests. */
  isLosing: boolean;
  /** While true it is a service that tells nobody the ids of requests and knows no idempotency keys, for tests. */
  isSilent: boolean;
  stop(): Promise<void>;
}

interface Key {
  /** SHA-256 of the secret, hex. */
  readonly sha256: string;
  revoked: boolean;
}

/**
 * A small payment service: charges are read and refunded over HTTP with keys that it issues, an idempotency key makes a refund once,
 * and every request is one line of its own log.
 */
export async function startPayments(dir: string, now: () => number = Date.now): Promise<Payments> {
  const log = join(dir, 'payments.jsonl');
  writeFileSync(log, '');
  const keys = new Map<string, Key>();
  const done = new Map<string, string>();
  const adminToken = randomBytes(24).toString('base64url');
  let count = 0;
  let written = 0;

  const server = createServer(async (request, response) => {
    const told = await answer(request).catch(() => ({ status: 400, body: { error: 'bad request' }, request: '' }));
    response.writeHead(told.status, {
      'content-type': 'application/json',
      ...(payments.isSilent ? {} : { 'request-id': told.request }),
    });
    response.end(typeof told.body === 'string' ? told.body : JSON.stringify(told.body));
  });

  async function answer(incoming: IncomingMessage) {
    let text = '';
    for await (const part of incoming.setEncoding('utf8')) text += part;
    const request = `req_${randomBytes(9).toString('base64url')}`;
    const [id = null, secret = ''] =
      /^Bearer ([^.]+)\.(.+)$/.exec(incoming.headers.authorization ?? '')?.slice(1) ?? [];
    const key = id === null ? undefined : keys.get(id);
    const idempotency = payments.isSilent ? null : String(incoming.headers['idempotency-key'] ?? '') || null;
    const path = /^\/v1\/charges\/([A-Za-z0-9_]{1,64})(\/refunds)?$/.exec(incoming.url ?? '');
    const base = { request, idempotency, key: id, charge: path?.[1] ?? null, amount: null, reason: null };
    if (incoming.url?.startsWith('/admin/keys/')) return { ...administer(incoming, text), request };
    if (!key || !isEqual(key.sha256, createHash('sha256').update(secret).digest('hex')) || key.revoked) {
      const reason = key?.revoked ? 'revoked' : key ? 'wrong-secret' : 'unknown';
      write({ ...base, action: 'request.refused', reason, status: 401 });
      return { status: 401, body: { error: reason }, request };
    }
    if (!path) return { status: 404, body: { error: 'no such thing' }, request };
    if (incoming.method === 'GET') {
      write({ ...base, action: 'charge.read', status: 200 });
      return { status: 200, body: { charge: path[1], refundable: true }, request };
    }
    const known = idempotency === null ? undefined : done.get(idempotency);
    if (known !== undefined) return { status: 200, body: known, request };
    const { amount } = JSON.parse(text) as { amount: string };
    if (!/^[0-9]{1,9}\.[0-9]{2}$/.test(amount)) throw new Error('no amount');
    write({ ...base, action: 'refund.created', amount, status: 201 });
    const body = JSON.stringify({ refund: `re_${++count}`, charge: path[1], amount });
    if (idempotency !== null) done.set(idempotency, body);
    return { status: 201, body, request };
  }

  function administer({ headers, method, url = '' }: IncomingMessage, text: string) {
    if (!isEqual(headers.authorization ?? '', `Bearer ${adminToken}`)) return { status: 401, body: { error: 'no' } };
    const id = decodeURIComponent(url.slice('/admin/keys/'.length));
    const known = keys.get(id);
    if (method === 'PUT') keys.set(id, { sha256: (JSON.parse(text) as { sha256: string }).sha256, revoked: false });
    else if (known) known.revoked = true;
    else return { status: 404, body: { error: 'unknown' } };
    return { status: 200, body: { id } };
  }

  function write(fields: Omit<PaymentRecord, 'id' | 'seq' | 'time'>): void {
    const id = `ev_${randomBytes(9).toString('base64url')}`;
    const record = { id, seq: 0, time: new Date(now()).toISOString(), ...fields };
    for (const each of payments.tamper(record)) {
      const line = `${JSON.stringify({ ...each, seq: ++written })}\n`;
      if (!payments.isLosing) appendFileSync(log, line);
    }
  }

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const payments: Payments = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    log,
    adminToken,
    tamper: (record) => [record],
    isLosing: false,
    isSilent: false,
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return payments;
}

function isEqual(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
}
