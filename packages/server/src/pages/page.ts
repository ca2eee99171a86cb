import { fileURLToPath } from 'node:url';
import { sha256, toBase64, utf8 } from '@deed/evidence';
import { bundleScript, style as readingStyle } from '@deed/reading-copy';

/** What pages with something to fill in have beside the style of the reading copy. */
const style = `${readingStyle}
header { margin-bottom: 1.5rem; }
section { margin-top: 1.5rem; }
[hidden] { display: none; }
label { display: block; margin: 0.5rem 0; }
textarea {
  display: block; width: 100%; font: 0.9rem/1.5 ui-monospace, Menlo, Consolas, monospace; color: var(--ink);
  background: var(--well); border: 1px solid var(--soft); border-radius: 6px; padding: 0.6rem 0.8rem;
}
button.main, a.button {
  display: inline-block; font-size: 1rem; padding: 0.65rem 1.2rem; margin: 0.4rem 0; border-radius: 6px; text-decoration: none;
}
button.main { color: var(--ground); background: var(--ink); border-color: var(--ink); }
button.main:hover { opacity: 0.88; }
button:disabled { opacity: 0.5; cursor: default; }
a.button { color: var(--ink); border: 1px solid var(--soft); }
.queue { list-style: none; padding: 0; }
.queue a { font-weight: 600; }
.rendering { font: 0.85rem/1.5 ui-monospace, Menlo, Consolas, monospace; white-space: pre-wrap; overflow-wrap: anywhere; }
.loud { background: var(--warn-ground); color: var(--warn); font-weight: 600; }
.fingerprint { font: 600 1.25rem/1.8 ui-monospace, Menlo, Consolas, monospace; letter-spacing: 0.03em; }
`;

/** A page of the server. Untrusted text enters `body` through {@link escapeHtml} alone. */
export interface Page {
  readonly title: string;
  /** HTML of what stands in `main`. */
  readonly body: string;
  /** The page's script, from {@link scriptOf}. */
  readonly script?: string;
  /** Handed to the script: JSON in the element `#data`. */
  readonly data?: unknown;
}

const scripts = new Map<string, Promise<string>>();

/** The script of a page, bundled once a process. `name`: a module in `pages/scripts`, without its ending. */
export function scriptOf(name: string): Promise<string> {
  const ending = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const known = scripts.get(name);
  if (known) return known;
  const made = bundleScript(fileURLToPath(new URL(`./scripts/${name}.${ending}`, import.meta.url)));
  scripts.set(name, made);
  return made;
}

/**
 * One HTML page with its own style and script and nothing from anywhere else: a strict policy admits exactly these by digest,
 * requests to this server alone, no frame around it and no form.
 */
export function htmlPage({ title, body, script, data }: Page): Response {
  const policy = [
    "default-src 'none'",
    `script-src ${script === undefined ? "'none'" : `'${hashOf(script)}'`}`,
    `style-src '${hashOf(style)}'`,
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; ');
  const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(title)}</title>
<style>${style}</style>
</head>
<body>
<main id="page">
${body}
</main>
${data === undefined ? '' : `<script type="application/json" id="data">${jsonInHtml(data)}</script>\n`}${script === undefined ? '' : `<script>${script}</script>\n`}</body>
</html>
`;
  return new Response(html, {
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': policy,
      'cache-control': 'no-store',
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
      'cross-origin-opener-policy': 'same-origin',
      'permissions-policy': 'publickey-credentials-get=(self), publickey-credentials-create=(self)',
    },
  });
}

/** Text as text, in an element or a quoted attribute. */
export function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

function jsonInHtml(value: unknown): string {
  return JSON.stringify(value).replaceAll('<', '\\u003c');
}

function hashOf(text: string): string {
  return `sha256-${toBase64(sha256(utf8(text)))}`;
}
