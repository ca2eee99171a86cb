import { fileURLToPath } from 'node:url';
import { sha256, toBase64, utf8 } from '@deed/evidence';
import { bundleScript, style } from '@deed/reading-copy';

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
