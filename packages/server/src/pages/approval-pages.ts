import { htmlPage, scriptOf } from './page.ts';

/** The queue of what waits for a person, kept fresh by its script. */
export async function approvalsPage(): Promise<Response> {
  return htmlPage({
    title: 'What waits for you',
    body: `<header><p class="kind">Deed</p><h1>What waits for a person</h1></header>
<p class="meaning" id="count" role="status">Looking…</p>
<ul id="list" class="queue"></ul>
<p><a class="button" href="/people/me">Your account</a></p>
<p id="said" class="notice" role="alert" hidden></p>`,
    script: await scriptOf('approvals'),
  });
}

/** One action, exactly as it will be signed. Everything on it is put there by the script, as text, after its digests were checked. */
export async function approvalPage(): Promise<Response> {
  return htmlPage({
    title: 'Approve or reject',
    body: `<header><p class="kind">Deed</p><h1 id="title" tabindex="-1">Approve or reject</h1></header>
<p class="meaning" id="meaning">Looking…</p>
<section id="shown" hidden>
<pre id="rendering" class="rendering" tabindex="0" aria-label="What you would sign"></pre>
<p class="dim" id="until"></p>
<p class="notice" id="why-not" hidden></p>
<p id="answers">
<button type="button" id="approve" class="main" disabled>Approve exactly this, once</button>
<button type="button" id="reject">Reject</button>
</p>
<p class="dim" id="hint">Read to the end: then you can approve.</p>
<details class="card">
<summary><h2>Ask for other arguments</h2></summary>
<div class="fold">
<form id="edit">
<label for="arguments">Arguments, a JSON object. The agent is asked to make the call with exactly these, and somebody else judges it: you are
their author.</label>
<textarea id="arguments" rows="12" spellcheck="false" autocomplete="off" required></textarea>
<button type="submit">Reject, and ask for these</button>
</form>
</div>
</details>
</section>
<section id="done" hidden>
<div class="card">
<h2 id="outcome" tabindex="-1"></h2>
<p id="meant"></p>
<p><a class="button" href="/approvals">What else waits</a></p>
</div>
</section>
<p id="said" class="notice" role="alert" hidden></p>`,
    script: await scriptOf('approval'),
  });
}
