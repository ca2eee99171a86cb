import { fileURLToPath } from 'node:url';
import { openContainer, sha256, toBase64, utf8 } from '@deed/evidence';
import { bundleScript } from './bundle.ts';
import { ReadingCopyError } from './errors.ts';
import { style } from './style.ts';

/** The largest case that a page can hold: browsers keep all of it in memory, several times over. */
export const maxCaseBytes = 64 * 1024 * 1024;
const lineLength = 120;

/**
 * Makes the reading copy of a case: one page that holds the whole file and the verifier, and shows what it finds
 * (docs/formats/reading-copy.md). The same case and the same version of Deed give the same bytes.
 * @param file the bytes of a `.deed` file; it must be in form, and may be forged or incomplete: the page says so
 * @param name the name under which the page hands the case out again
 * @throws EvidenceError container (not a case); ReadingCopyError limit, script
 */
export async function makeReadingCopy(file: Uint8Array, name: string): Promise<Uint8Array> {
  if (file.length > maxCaseBytes) {
    const limit = `${maxCaseBytes / 1024 / 1024} MiB`;
    throw new ReadingCopyError('limit', `the case is larger than ${limit}: hand over the .deed file itself`);
  }
  openContainer(file);
  return utf8(pageOf(await pageScript(), toBase64(file), name));
}

/** The page's script, bundled anew each time: it is never older than the verifier beside it. */
export async function pageScript(): Promise<string> {
  const main = import.meta.url.endsWith('.ts') ? './page/main.ts' : './page/main.js';
  const script = await bundleScript(fileURLToPath(new URL(main, import.meta.url)));
  if (/<\/script|<!--|\r/i.test(script))
    throw new ReadingCopyError('script', "the page's script would end its element");
  return script;
}

function pageOf(script: string, data: string, name: string): string {
  const policy = [
    "default-src 'none'",
    `script-src '${hashOf(script)}'`,
    `style-src '${hashOf(style)}'`,
    "base-uri 'none'",
    "form-action 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; ');
  const safeName = name.replaceAll(/[^A-Za-z0-9._-]/g, '_');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>Deed reading copy</title>
<style>${style}</style>
</head>
<body>
<main id="page">
<h1>Deed reading copy</h1>
<p role="status">Verifying the case. If this line stays, scripts are off or the browser is older than 2024: verify the .deed file instead.</p>
</main>
<script type="application/vnd.deed.case" id="case" data-name="${safeName}">
${data.replaceAll(new RegExp(`.{${lineLength}}`, 'g'), '$&\n')}
</script>
<script>${script}</script>
</body>
</html>
`;
}

function hashOf(text: string): string {
  return `sha256-${toBase64(sha256(utf8(text)))}`;
}
