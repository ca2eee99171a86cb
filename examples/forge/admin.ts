import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { type Credentials, sha256 } from './credentials.ts';
import { createRepository, namePattern } from './repositories.ts';

export interface Answer {
  readonly status: number;
  readonly text: string;
}

const maxBodyBytes = 65_536;
const idPattern = /^[A-Za-z0-9._-]{1,128}$/;

/** The admin interface: repositories and credentials. The token is compared by its hash, in constant time. */
export async function answerAdmin(
  request: IncomingMessage,
  path: string,
  forge: { readonly dir: string; readonly adminToken: string; readonly credentials: Credentials },
): Promise<Answer> {
  const token = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '')?.[1] ?? '';
  if (!timingSafeEqual(sha256(token), sha256(forge.adminToken))) return { status: 401, text: 'admin token needed' };
  const id = /^\/admin\/credentials\/([^/]+)$/.exec(path)?.[1];
  try {
    if (request.method === 'POST' && path === '/admin/repositories') {
      const { name } = await body(request);
      if (typeof name !== 'string' || !namePattern.test(name) || name.endsWith('.git')) return bad('name');
      await createRepository(forge.dir, name);
      return { status: 201, text: name };
    }
    if (id !== undefined && !idPattern.test(id)) return bad('credential id');
    if (request.method === 'PUT' && id !== undefined) {
      const { sha256: hex, repositories } = await body(request);
      if (typeof hex !== 'string' || !/^[0-9a-f]{64}$/.test(hex)) return bad('sha256');
      if (!Array.isArray(repositories) || repositories.some((name) => typeof name !== 'string')) {
        return bad('repositories');
      }
      forge.credentials.put(id, { sha256: Buffer.from(hex, 'hex'), repositories: new Set(repositories) });
      return { status: 201, text: id };
    }
    if (request.method === 'DELETE' && id !== undefined) {
      return forge.credentials.revoke(id)
        ? { status: 200, text: 'revoked' }
        : { status: 404, text: 'no such credential' };
    }
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST') return { status: 409, text: 'exists' };
    if (cause instanceof SyntaxError) return bad('body');
    return { status: 500, text: 'failed' };
  }
  return { status: 404, text: 'not found' };
}

function bad(what: string): Answer {
  return { status: 400, text: `${what} not accepted` };
}

async function body(request: IncomingMessage): Promise<Record<string, unknown>> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBodyBytes) throw new SyntaxError('too large');
    chunks.push(chunk);
  }
  const value: unknown = JSON.parse(Buffer.concat(chunks).toString());
  if (typeof value !== 'object' || value === null) throw new SyntaxError('not an object');
  return value as Record<string, unknown>;
}
