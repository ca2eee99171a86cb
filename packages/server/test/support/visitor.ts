import type { World } from './world.ts';

/** Somebody at the public door: keeps cookies, and says where the page comes from. */
export class Visitor {
  readonly url: string;
  private readonly cookies = new Map<string, string>();
  /** Header fields of every POST. */
  headers: Record<string, string>;

  constructor(url: string) {
    this.url = url;
    this.headers = { origin: url, 'sec-fetch-site': 'same-origin' };
  }

  async post(path: string, body: unknown = {}, headers = this.headers) {
    return this.send(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    });
  }

  async form(path: string, fields: Record<string, string>) {
    return this.send(path, { method: 'POST', body: new URLSearchParams(fields) });
  }

  async get(path: string) {
    return this.send(path, {});
  }

  /** What a browser would send as Cookie. */
  cookie(): string {
    return [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
  }

  private async send(path: string, init: RequestInit) {
    const headers = { ...(init.headers as Record<string, string>), cookie: this.cookie() };
    const answer = await fetch(new URL(path, this.url), { redirect: 'manual', ...init, headers });
    for (const line of answer.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (value === '') this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
    const text = await answer.text();
    const isJson = answer.headers.get('content-type')?.includes('json');
    // biome-ignore lint/suspicious/noExplicitAny: each test knows what it asked for
    return { status: answer.status, headers: answer.headers, text, body: (isJson ? JSON.parse(text) : null) as any };
  }
}

/** Lets browsers reach the world as `localhost`, where passkeys work without TLS. @returns the address */
export function atLocalhost(world: World): string {
  const { deployment, url } = world.serving;
  const publicUrl = `http://localhost:${new URL(url ?? '').port}`;
  deployment.config = { ...deployment.config, publicUrl };
  return publicUrl;
}
