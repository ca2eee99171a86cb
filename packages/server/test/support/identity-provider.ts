import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Provider } from 'oidc-provider';
import { Visitor } from './visitor.ts';

export const clientSecret = 'a secret of the tests alone, long enough';

/** A real OpenID provider on this machine: whoever types a name is that person. */
export async function startProvider(redirectUri: string) {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const issuer = `http://localhost:${(server.address() as AddressInfo).port}`;
  const provider = new Provider(issuer, {
    clients: [{ client_id: 'deed', client_secret: clientSecret, redirect_uris: [redirectUri] }],
    cookies: { keys: ['a key of the tests alone'] },
    pkce: { required: () => true },
  });
  server.on('request', provider.callback());
  return {
    issuer,
    /** Goes where a browser is sent, signs in by this name, and gives the address it is sent back to. */
    async signIn(location: string, name: string): Promise<string> {
      const browser = new Visitor(issuer);
      let next = location;
      for (let steps = 0; steps < 12; steps++) {
        if (next.startsWith(redirectUri)) return next;
        const seen = await browser.get(next);
        if (seen.status === 200) {
          const isLogin = seen.text.includes('name="login"');
          const fields = isLogin ? { prompt: 'login', login: name, password: 'x' } : { prompt: 'consent' };
          next = (await browser.form(next, fields)).headers.get('location') ?? '';
        } else next = seen.headers.get('location') ?? '';
        next = new URL(next, issuer).href;
      }
      throw new Error(`the provider leads nowhere: ${next}`);
    },
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
