import { actionsSection } from './actions.ts';
import { approvalsSection } from './approvals.ts';
import { banner } from './banner.ts';
import { type Child, el } from './dom.ts';
import { payloadsSection } from './payloads.ts';
import type { ShownCase } from './read-case.ts';
import { checksSection, findingsSection, limitsSection, reasonsSection, reportSection, taskSection } from './report.ts';
import { timelineSection } from './timeline.ts';

/** The whole page, from the verdict down to the bytes. */
export function showCase(shown: ShownCase): Node[] {
  const { report, held } = shown;
  if (report.verdict === 'unusable') {
    return [banner(shown), reasonsSection(report), checksSection(report), reportSection(report)];
  }
  const sections = [
    reasonsSection(report),
    taskSection(report),
    actionsSection(report, held),
    approvalsSection(report, held),
    findingsSection(report),
    timelineSection(held),
    payloadsSection(held),
    checksSection(report),
    limitsSection(report),
    reportSection(report),
  ].filter((section) => section !== null);
  return [banner(shown), contents(sections), ...sections];
}

function contents(sections: readonly HTMLElement[]): HTMLElement {
  const links = sections.map((section): Child => {
    const title = section.querySelector('h2')?.textContent ?? '';
    return el('li', {}, el('a', { href: `#${section.id}` }, title));
  });
  return el('nav', { 'aria-label': 'Contents' }, el('ul', {}, ...links));
}
