import { readFileSync, statSync } from 'node:fs';
import type { Database } from '@deed/store';
import { ReconcileError } from '../errors.ts';
import { listSources } from '../sources.ts';
import { keepDelivery } from './delivery-folder.ts';
import { type Header, isFrom, keptHeaders } from './senders.ts';
import { webhookConfig } from './webhook-connector.ts';

/** `refused`: there is no such source, or who sent it does not know its secret: nobody is told which. */
export type Received = 'kept' | 'refused' | 'no-json' | 'full';

/**
 * Keeps what was sent to a source, if it is from whom the source says. When this returns `kept`, it is on disk.
 * @throws ReconcileError source (the secret cannot be read); Error of the file system
 */
export function receiveDelivery(
  db: Database,
  id: string,
  header: Header,
  body: Uint8Array,
  nowMs: number = Date.now(),
): Received {
  const source = listSources(db).find((each) => each.id === id && each.kind === 'webhook');
  if (!source) return 'refused';
  const { sender, secretFile, path } = webhookConfig.parse(source.config);
  if (!isFrom(sender, secretOf(secretFile), header, body, nowMs)) return 'refused';
  if (!isJson(body)) return 'no-json';
  const headers = Object.fromEntries(
    keptHeaders[sender].flatMap((name) => {
      const value = header(name);
      return value === undefined ? [] : [[name, value]];
    }),
  );
  const received = JSON.stringify(new Date(nowMs).toISOString());
  const head = `{"received":${received},"headers":${JSON.stringify(headers)},"body":`;
  const delivery = Buffer.concat([Buffer.from(head), body, Buffer.from('}')]);
  return keepDelivery(path, nowMs, delivery) ? 'kept' : 'full';
}

/** The secret in a file that nobody else may read. @throws ReconcileError source */
export function secretOf(file: string): string {
  try {
    if ((statSync(file).mode & 0o077) !== 0) throw new Error('others may read it: chmod 600');
    const secret = readFileSync(file, 'utf8').trim();
    if (secret.length < 8) throw new Error('it has fewer than 8 characters');
    return secret;
  } catch (cause) {
    throw new ReconcileError('source', `the secret in ${file}: ${(cause as Error).message}`, { cause });
  }
}

function isJson(body: Uint8Array): boolean {
  try {
    JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body));
    return true;
  } catch {
    return false;
  }
}
