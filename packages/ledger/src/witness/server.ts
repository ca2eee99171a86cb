import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { formatVkey, sha256, toHex, utf8 } from '@deed/evidence';
import { type Database, lockFolder, replace, StoreError } from '@deed/store';
import { addCheckpoint, type WitnessAnswer } from './add-checkpoint.ts';
import { loadWitnessKeys, openWitnessDatabase } from './state.ts';

export interface WitnessOptions {
  /** Outside every data folder it watches over: a restored data folder must not bring an old witness with it. */
  readonly stateFolder: string;
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Default 0: any free one. */
  readonly port?: number;
  /** Milliseconds since 1970. */
  readonly clock?: () => number;
  /** Called when nobody knows what the disk holds. Default: says why and ends the process with code 70. */
  readonly onFatal?: (error: Error) => void;
}

export interface Witness {
  readonly url: string;
  /** One for each of its keys. */
  readonly vkeys: readonly string[];
  close(): Promise<void>;
}

const maxBodyBytes = 256 * 1024;

/**
 * Runs a witness: `POST /add-checkpoint` and `GET /<hex SHA-256 of origin>/checkpoint` (C2SP tlog-witness). It writes its
 * address into its state folder.
 * @throws StoreError locked (it is already running), LedgerError witness (no witness in the folder)
 */
export async function startWitness(options: WitnessOptions): Promise<Witness> {
  const { stateFolder, host = '127.0.0.1', port = 0, clock = Date.now } = options;
  const signers = loadWitnessKeys(stateFolder);
  const lock = lockFolder(stateFolder);
  const database = openWitnessDatabase(stateFolder);
  const server = createServer({ requestTimeout: 10_000, headersTimeout: 5_000 }, async (request, response) => {
    try {
      const add = (body: Uint8Array) => addCheckpoint(database, signers, body, Math.floor(clock() / 1000));
      const answer = await answerTo(request, database, add);
      const headers = { 'content-type': answer.type, 'cache-control': 'no-store' };
      // What was not read of a request cannot be told from the next one.
      const more = request.complete ? {} : { connection: 'close' };
      response.writeHead(answer.status, { ...headers, ...more }).end(answer.body);
    } catch (error) {
      // A failure of the disk: nothing was answered. The connection ends without an answer rather than with a wrong one.
      response.destroy();
      const failure = error instanceof Error ? error : new Error(String(error));
      if (failure instanceof StoreError && failure.code === 'fatal') (options.onFatal ?? endProcess)(failure);
      else process.stderr.write(`deed witness: ${failure.message}\n`);
    }
  });
  try {
    server.listen(port, host);
    await once(server, 'listening');
  } catch (error) {
    database.close();
    lock.release();
    throw error;
  }
  const address = server.address() as AddressInfo;
  const url = `http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`;
  replace(join(stateFolder, 'address'), Buffer.from(`${url}\n`));
  return {
    url,
    vkeys: signers.map(({ key }) => formatVkey(key)),
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
      database.close();
      lock.release();
    },
  };
}

async function answerTo(
  request: IncomingMessage,
  database: Database,
  add: (body: Uint8Array) => WitnessAnswer,
): Promise<WitnessAnswer> {
  const plain = 'text/plain; charset=utf-8';
  const { method, url: path = '' } = request;
  if (path === '/add-checkpoint') {
    if (method !== 'POST') return { status: 405, type: plain, body: 'only POST\n' };
    const body = await readBody(request);
    return body ? add(body) : { status: 413, type: plain, body: `more than ${maxBodyBytes} bytes\n` };
  }
  const wanted = /^\/([0-9a-f]{64})\/checkpoint$/.exec(path)?.[1];
  if (wanted !== undefined) {
    if (method !== 'GET' && method !== 'HEAD') return { status: 405, type: plain, body: 'only GET\n' };
    const note = newestNote(database, wanted);
    if (note !== undefined) return { status: 200, type: plain, body: note };
  }
  return { status: 404, type: plain, body: 'not found\n' };
}

/** @param originHash hex SHA-256 of the log's origin */
function newestNote(database: Database, originHash: string): string | undefined {
  const origins = database.all<{ origin: string }>('SELECT origin FROM head');
  const found = origins.find(({ origin }) => toHex(sha256(utf8(origin))) === originHash);
  return found && database.get<{ note: string }>('SELECT note FROM head WHERE origin = ?', found.origin)?.note;
}

/** Undefined when it is too long; the rest stays unread. */
async function readBody(request: IncomingMessage): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>) {
    size += chunk.length;
    if (size > maxBodyBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function endProcess(error: Error): void {
  process.stderr.write(`deed witness: ${error.message}\n`);
  process.exit(70);
}
