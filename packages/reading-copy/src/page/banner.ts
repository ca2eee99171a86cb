import { sha256, toHex, type Verdict } from '@deed/evidence';
import { bytesText, el } from './dom.ts';
import type { ShownCase } from './read-case.ts';

/** What each verdict means to somebody who reads a page. There is no entry for VERIFIED: a page cannot say it. */
const meanings = {
  UNANCHORED:
    'Sound in itself: nothing in this case contradicts its own signatures, proofs or order. Nobody independent has vouched for it here.',
  INCOMPLETE: 'What is here holds, but something that should be here is not.',
  FORGED:
    'Something in this case contradicts its own signatures, proofs or order. What it says below is a claim and no evidence.',
  unusable: 'This is not a case, or not one that this version can read.',
} as const;

/** A page is never better than UNANCHORED, whatever it was told. */
function shownVerdict(verdict: Verdict): keyof typeof meanings {
  return verdict === 'VERIFIED' ? 'UNANCHORED' : verdict;
}

/** The verdict, what it is worth, and how to get one that is worth more. */
export function banner({ report, file, name }: ShownCase): HTMLElement {
  const verdict = shownVerdict(report.verdict);
  return el(
    'header',
    { class: `banner ${verdict.toLowerCase()}` },
    el('p', { class: 'kind' }, 'Deed reading copy'),
    el('h1', { id: 'verdict' }, verdict),
    el('p', { class: 'meaning', role: 'status' }, meanings[verdict]),
    el(
      'div',
      { class: 'caution' },
      el(
        'p',
        {},
        el('strong', {}, 'A reading copy cannot vouch for itself. '),
        'Whoever made this page could have made its verifier too. For a verdict, save the case and check it with a verifier and a trust file that you got from elsewhere:',
      ),
      el('p', {}, el('code', { id: 'command' }, `deed verify ${name} --trust TRUST`)),
      el('p', {}, 'SHA-256 of the case in this page: ', el('code', { id: 'digest' }, toHex(sha256(file)))),
      el('p', { class: 'screen' }, download(file, name)),
    ),
  );
}

/** Hands the case out again, byte for byte. */
function download(file: Uint8Array, name: string): HTMLElement {
  const button = el('button', { type: 'button', id: 'download' }, `Save the case (${bytesText(file.length)})`);
  button.addEventListener('click', () => {
    const url = URL.createObjectURL(new Blob([Uint8Array.from(file)], { type: 'application/octet-stream' }));
    el('a', { href: url, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  });
  return button;
}
