import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { EvidenceError, fromBase64, sha256, toBase64, utf8, verify } from '@deed/evidence';
import { afterAll, describe, expect, it } from 'vitest';
import { nowMs, trustText } from '../../evidence/test/support/case-maker.ts';
import { bundleScript } from '../src/bundle.ts';
import { makeReadingCopy, maxCaseBytes, pageScript } from '../src/make-page.ts';
import { states } from './cases.ts';

const evidence = resolve(import.meta.dirname, '..', '..', 'evidence', 'src', 'index.ts');
const folder = mkdtempSync(join(tmpdir(), 'deed-bundle-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const sound = states.sound();
const made = decode(await makeReadingCopy(sound, 'a "case" </title>.deed'));

describe('a reading copy', () => {
  it('holds the whole case, byte for byte', () => {
    const [, data = ''] = /<script type="application\/vnd\.deed\.case"[^>]*>([^<]*)<\/script>/.exec(made) ?? [];
    expect(Buffer.from(fromBase64(data.replaceAll('\n', ''))).equals(sound)).toBe(true);
  });

  it('is the same page, byte for byte, each time it is made of the same case', async () => {
    expect(decode(await makeReadingCopy(sound, 'a "case" </title>.deed'))).toBe(made);
  });

  it('lets run and style only what its policy names by digest, and lets nothing be fetched', () => {
    const [, policy = ''] = /http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(made) ?? [];
    const digest = (text = '') => `'sha256-${toBase64(sha256(utf8(text)))}'`;
    const script = digest(/<script>([\s\S]*?)<\/script>/.exec(made)?.[1]);
    const style = digest(/<style>([\s\S]*?)<\/style>/.exec(made)?.[1]);
    expect(policy.split('; ')).toEqual([
      "default-src 'none'",
      `script-src ${script}`,
      `style-src ${style}`,
      "base-uri 'none'",
      "form-action 'none'",
      "require-trusted-types-for 'script'",
      "trusted-types 'none'",
    ]);
    expect(made).not.toMatch(/\s(src|href|on[a-z]+)=/);
  });

  it('gives its file a plain name, whatever it was called', () => {
    expect(made).toContain('data-name="a__case____title_.deed"');
  });

  it('is refused for what is no case, and for a case that no page can hold', async () => {
    await expect(makeReadingCopy(utf8('Dear auditor, everything is fine.'), 'x')).rejects.toThrow(EvidenceError);
    await expect(makeReadingCopy(new Uint8Array(maxCaseBytes + 1), 'x')).rejects.toMatchObject({ code: 'limit' });
  });

  it('has a script that names no folder of the machine it was made on, and carries the notices of its libraries', async () => {
    const script = await pageScript();
    expect(script).not.toContain(resolve(import.meta.dirname, '..', '..', '..'));
    for (const notice of ['noble-curves - MIT', 'noble-post-quantum - MIT', 'zod, MIT License']) {
      expect(script).toContain(notice);
    }
  });
});

it('verify() as browsers get it gives of a sound, a forged and an incomplete case the report that it gives in Node', {
  timeout: 60_000,
}, async () => {
  const path = join(folder, 'evidence.mjs');
  writeFileSync(path, `${await bundleScript(evidence, 'deed')};export const verifyThere = deed.verify;`);
  const { verifyThere } = (await import(pathToFileURL(path).href)) as { verifyThere: typeof verify };
  expect(verifyThere.toString()).not.toBe(verify.toString());
  const options = { trust: trustText, nowMs };
  const verdicts = (['sound', 'forged', 'incomplete'] as const).map((state) => {
    const file = states[state]();
    const report = verifyThere(file, options);
    expect(report, state).toEqual(verify(file, options));
    return report.verdict;
  });
  expect(verdicts).toEqual(['VERIFIED', 'FORGED', 'INCOMPLETE']);
});
