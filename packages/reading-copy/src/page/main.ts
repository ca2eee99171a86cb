import './jitless.ts';
import { verify } from '@deed/evidence';
import { embeddedCase } from './embedded.ts';
import { readCase } from './read-case.ts';
import { showCase } from './show-case.ts';

const page = document.getElementById('page');

/** The first paint comes before the work, which keeps the page still for a moment. */
requestAnimationFrame(() => setTimeout(start));

function start(): void {
  if (!page) return;
  try {
    const { file, name } = embeddedCase(document);
    const report = verify(file); // no trust file: a page can bring none that deserves belief
    page.replaceChildren(...showCase({ report, file, name, held: readCase(file) }));
    page.className = report.verdict.toLowerCase();
    document.title = `${report.verdict}: Deed reading copy`;
  } catch (error) {
    const status = page.querySelector('[role=status]');
    if (status) status.textContent = `The verifier itself failed, which is no verdict: ${(error as Error).message}`;
    throw error;
  }
}
