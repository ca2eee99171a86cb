import type { TileFolder } from './tile-folder.ts';
import { parseTilePath, tileWidth } from './tile-path.ts';

export interface LogResponse {
  readonly status: 200 | 404 | 405;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/** Answers a request for a path below `/log/` from the log's folder (C2SP tlog-tiles). Anything but an exact path is 404. */
export function logResponse(folder: Pick<TileFolder, 'read'>, method: string, path: string): LogResponse {
  if (method !== 'GET' && method !== 'HEAD') return refused(405, 'only GET', { allow: 'GET, HEAD' });
  const name = path.startsWith('/log/') ? path.slice('/log/'.length) : '';
  const tile = parseTilePath(name);
  const bytes = name === 'checkpoint' || tile ? folder.read(name) : undefined;
  if (!bytes) return refused(404, tile && tile.width < tileWidth ? 'gone: ask for the full tile' : 'not found');
  const headers: Record<string, string> = tile
    ? { 'content-type': 'application/octet-stream', 'cache-control': 'public, max-age=604800, immutable' }
    : { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-cache' };
  headers['content-length'] = String(bytes.length);
  headers['x-content-type-options'] = 'nosniff';
  return { status: 200, headers, body: method === 'HEAD' ? new Uint8Array() : bytes };
}

function refused(status: 404 | 405, text: string, headers: Readonly<Record<string, string>> = {}): LogResponse {
  return {
    status,
    headers: { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store', ...headers },
    body: Buffer.from(`${text}\n`),
  };
}
