import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Agent, request as httpRequest } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { ofAgents } from '../../tests/support/agents.ts';
import { makePlace } from './place.ts';
import { inTurns, type Way } from './rounds.ts';

const text = 'x'.repeat(64);
const version = '2026-07-28';

/** A client that keeps its connection: one call at a time, in the newer era, or in the older one within a session. */
class Poster {
  private readonly agent = new Agent({ keepAlive: true, maxSockets: 1 });
  private readonly url: string;
  private readonly headers: Record<string, string>;
  private next = 0;

  constructor(url: string, headers: Record<string, string> = {}) {
    this.url = url;
    this.headers = {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...headers,
    };
  }

  /** Begins a session of the older era. */
  async begin(): Promise<this> {
    const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'bench', version: '1' } };
    const { session } = await this.post({ method: 'initialize', params });
    if (session !== undefined) this.headers['mcp-session-id'] = session;
    this.headers['mcp-protocol-version'] = '2025-11-25';
    await this.post({ method: 'notifications/initialized' }, true);
    return this;
  }

  modern(): this {
    Object.assign(this.headers, { 'mcp-protocol-version': version, 'mcp-method': 'tools/call' });
    return this;
  }

  async call(tool: string): Promise<void> {
    const isModern = this.headers['mcp-protocol-version'] === version;
    const _meta = {
      'io.modelcontextprotocol/protocolVersion': version,
      'io.modelcontextprotocol/clientInfo': { name: 'bench', version: '1' },
      'io.modelcontextprotocol/clientCapabilities': {},
    };
    if (isModern) this.headers['mcp-name'] = tool;
    const params = { name: tool, arguments: { text }, ...(isModern ? { _meta } : {}) };
    const { body } = await this.post({ method: 'tools/call', params });
    if (!body.includes(text) || body.includes('isError')) throw new Error(body);
  }

  end(): void {
    this.agent.destroy();
  }

  private post(message: object, isNotification = false): Promise<{ readonly body: string; readonly session?: string }> {
    const body = JSON.stringify({ jsonrpc: '2.0', ...(isNotification ? {} : { id: ++this.next }), ...message });
    return new Promise((resolve, reject) => {
      const headers = { ...this.headers, 'content-length': String(Buffer.byteLength(body)) };
      const request = httpRequest(this.url, { method: 'POST', agent: this.agent, headers }, (response) => {
        let got = '';
        response.setEncoding('utf8').on('data', (part) => {
          got += part;
        });
        const session = response.headers['mcp-session-id']?.toString();
        response.on('end', () => resolve({ body: got, ...(session === undefined ? {} : { session }) }));
      });
      request.on('error', reject);
      request.end(body);
    });
  }
}

/** A tool server over Streamable HTTP, of the official library: directly, behind Deed, and a server over stdio behind mcp-proxy. */
export async function http(): Promise<readonly (readonly string[])[]> {
  const server = spawn(process.execPath, [fileURLToPath(new URL('echo-http.ts', import.meta.url))], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(server.stdout, 'data')) as [Buffer];
  const { url } = JSON.parse(String(line)) as { readonly url: string };
  const place = await makePlace();
  await place.client.post('/v1/tools', { name: 'echo', kind: 'plain', url });
  // A key each, and so a task each: one has room for so many actions.
  const behind = async () => {
    const made = await place.client.post<{ key: string; url: string }>('/v1/mcp-keys', { server: 'echo' });
    return new Poster(made.url, { authorization: `Bearer ${made.key}` });
  };
  const proxy = await startProxy();
  const direct = new Poster(url).modern();
  const deed = (await behind()).modern();
  const recorded = (await behind()).modern();
  const older = await new Poster(url).begin();
  const olderDeed = await (await behind()).begin();
  const proxied = proxy && (await new Poster(proxy.url).begin());
  const posters = [direct, deed, recorded, older, olderDeed, ...(proxied ? [proxied] : [])];
  const ways: readonly Way[] = [
    { name: 'direct, newer era', call: () => direct.call('observe_echo') },
    { name: 'Deed, tier observe, newer era', call: () => deed.call('observe_echo') },
    { name: 'Deed, tier record, newer era', call: () => recorded.call('record_echo') },
    { name: 'direct, older era', call: () => older.call('observe_echo') },
    { name: 'Deed, tier observe, older era', call: () => olderDeed.call('observe_echo') },
    ...(proxied
      ? [{ name: 'mcp-proxy 6.7.19 before a server over stdio', call: () => proxied.call('observe_echo') }]
      : []),
  ];
  try {
    return await inTurns(ways);
  } finally {
    for (const poster of posters) poster.end();
    await place.end();
    server.kill();
    proxy?.end();
  }
}

async function startProxy(): Promise<{ readonly url: string; readonly end: () => void } | null> {
  const bin = ofAgents('.bin/mcp-proxy');
  if (bin === null) return null;
  const port = 20_000 + Math.floor(Math.random() * 20_000);
  const echo = fileURLToPath(new URL('echo.mjs', import.meta.url));
  const child = spawn(
    bin,
    ['--port', String(port), '--host', '127.0.0.1', '--server', 'stream', process.execPath, echo],
    {
      stdio: 'ignore',
      env: { ...process.env, PATH: `${process.execPath.replace(/\/node$/, '')}:${process.env.PATH}` },
    },
  );
  const url = `http://127.0.0.1:${port}/mcp`;
  for (let tries = 0; tries < 100; tries++) {
    await sleep(100);
    const answers = await fetch(url).catch(() => null);
    if (answers) return { url, end: () => child.kill() };
  }
  child.kill();
  console.log('SKIPPED mcp-proxy: it did not start');
  return null;
}
