import type { SignedIn } from '../http/session.ts';
import { escapeHtml, htmlPage, scriptOf } from './page.ts';

/** Where somebody who was invited hands in a key. The code is in the fragment of the address, which no server and no log sees. */
export async function joinPage(): Promise<Response> {
  return htmlPage({
    title: 'Join a deployment of Deed',
    body: `<header><p class="kind">Deed</p><h1>Hand in your key</h1></header>
<p class="meaning" id="who">You were invited to this deployment. Looking at your invitation…</p>
<section id="choose" hidden>
<div class="card">
<h2>A passkey of this device</h2>
<p>Your device keeps the key and asks for your finger, your face or your PIN each time you sign.</p>
<button type="button" id="passkey" class="main">Make a passkey</button>
</div>
<details class="card">
<summary><h3>An SSH key instead</h3></summary>
<div class="fold">
<form id="ssh">
<label for="line">The one line of your public key file, for instance ~/.ssh/id_ed25519.pub</label>
<textarea id="line" name="line" rows="4" spellcheck="false" autocomplete="off" required></textarea>
<button type="submit">Hand in this key</button>
</form>
</div>
</details>
</section>
<section id="done" hidden>
<div class="card">
<h2>Handed in</h2>
<p>Your key counts once an operator has confirmed it. Call the person who invited you and read out this fingerprint of your key. If
it is not what they see, somebody else used your invitation.</p>
<p id="fingerprint" class="fingerprint" aria-label="Fingerprint of your key"></p>
<p class="dim" id="kept"></p>
</div>
</section>
<p id="said" class="notice" role="alert" hidden></p>`,
    script: await scriptOf('join'),
  });
}

/** Where people sign in. */
export async function signInPage({ oidc }: { readonly oidc: boolean }): Promise<Response> {
  const provider = oidc
    ? '<p class="dim">or</p>\n<p><a class="button" href="/people/oidc">Go on with your organisation’s sign-in</a></p>'
    : '';
  return htmlPage({
    title: 'Sign in to Deed',
    body: `<header><p class="kind">Deed</p><h1>Sign in</h1></header>
<section class="card">
<button type="button" id="passkey" class="main">Sign in with a passkey</button>
${provider}
</section>
<p class="dim">Being signed in approves nothing. Each approval is signed with your key, over exactly what you are shown.</p>
<p id="said" class="notice" role="alert" hidden></p>`,
    script: await scriptOf('sign-in'),
  });
}

/** An order among the people that waits for a second person's word. */
export async function ordersPage(): Promise<Response> {
  return htmlPage({
    title: 'A second word',
    body: `<header><p class="kind">Deed</p><h1>A second person’s word</h1></header>
<p class="meaning" id="meaning" role="status">Looking…</p>
<section id="waiting" class="card" hidden>
<div id="compare" hidden>
<p>Whose key this is you know only from them. Call them, and have them read out its fingerprint:</p>
<p id="fingerprint" class="fingerprint" aria-label="Fingerprint of the key"></p>
</div>
<p class="dim" id="own" hidden>You ordered it: it waits for somebody else.</p>
<button type="button" id="order" class="main">Order this as well</button>
</section>
<p><a class="button" href="/people/me">Your account</a></p>
<p id="said" class="notice" role="alert" hidden></p>`,
    script: await scriptOf('orders'),
  });
}

/** Who is signed in, and how. */
export async function mePage(
  { person, how, sinceMs }: SignedIn,
  { oidc }: { readonly oidc: boolean },
): Promise<Response> {
  const called = person.label === '' ? person.id : person.label;
  const rows = [
    ['Person', person.id],
    ['May', person.roles.join(', ')],
    ['Signed in by', how === 'passkey' ? 'a passkey' : 'your organisation’s sign-in'],
    ['Since', new Date(sinceMs).toISOString()],
  ].map(([name = '', value = '']) => `<div><dt>${name}</dt><dd>${escapeHtml(value)}</dd></div>`);
  const link =
    oidc && how === 'passkey'
      ? '<p><a class="button" href="/people/oidc">Link your organisation’s sign-in to this account</a></p>'
      : '';
  return htmlPage({
    title: 'Signed in to Deed',
    body: `<header><p class="kind">Deed</p><h1>${escapeHtml(called)}</h1></header>
<section class="card">
<dl>${rows.join('')}</dl>
<p><a href="/approvals">What waits for approval</a> · <a href="/people/orders">Orders that wait for a second person</a></p>
${link}
<button type="button" id="out">Sign out</button>
</section>
<p id="said" class="notice" role="alert" hidden></p>`,
    script: await scriptOf('me'),
  });
}

/** What a sign-in by way of a provider came to; it leads on by itself where it did. */
export async function cameBackPage(title: string, text: string, on: string | null): Promise<Response> {
  const page = htmlPage({
    title,
    body: `<header><p class="kind">Deed</p><h1>${escapeHtml(title)}</h1></header>
<p class="meaning">${escapeHtml(text)}</p>
<p><a class="button" href="${escapeHtml(on ?? '/people/sign-in')}">${on === null ? 'Back to sign in' : 'Go on'}</a></p>`,
  });
  if (on !== null) page.headers.set('refresh', `0; url=${on}`);
  return page;
}
