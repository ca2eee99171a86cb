import type { Report } from '@deed/evidence';
import { answers, type Child, el, exact, fold, paged, section } from './dom.ts';

const reasonsAtOnce = 50;

/** All that speaks against the case, worst first, as verify() gives it. */
export function reasonsSection({ reasons }: Report): HTMLElement {
  const list = paged(reasons, reasonsAtOnce, ({ verdict, check, message }) =>
    el(
      'div',
      { class: 'reason' },
      el('span', { class: `state ${verdict.toLowerCase()}` }, verdict),
      el('span', { class: 'dim' }, `check ${check}`),
      el('span', {}, message),
    ),
  );
  return section('reasons', `Reasons (${reasons.length})`, list);
}

export function taskSection({ task, case: held }: Report): HTMLElement | null {
  if (!task) return null;
  const { objective, principal, opened, closed, outputs, credentials } = task;
  return section(
    'task',
    'Task',
    answers([
      ['Ordered', objective],
      ['For', principal],
      ['Opened', opened],
      ['Closed', closed ?? 'it is not closed'],
      ['Delivered', outputs.length === 0 ? 'nothing that is listed' : lines(outputs)],
      ...(credentials.length === 0 ? [] : [['Credentials', lines(credentials)] as const]),
      ['Task', el('code', {}, task.task)],
      ...(held
        ? [['Case', el('code', {}, held.id)] as const, ['Deployment', el('code', {}, held.origin)] as const]
        : []),
    ]),
  );
}

function lines(texts: readonly string[]): HTMLElement {
  return el('ul', { class: 'plain' }, ...texts.map((text) => el('li', {}, text)));
}

export function findingsSection({ findings, reconciled, task }: Report): HTMLElement | null {
  if (!task) return null;
  const cards = findings.map(({ type, severity, why, todo, state, until }) =>
    el(
      'article',
      { class: 'card' },
      el(
        'h3',
        {},
        `${type} (${severity})${state === 'open' ? '' : `, ${state}${until === null ? '' : ` until ${until}`}`}`,
      ),
      el('p', {}, why),
      el('p', { class: 'dim' }, `To do: ${todo}`),
    ),
  );
  const looked: Child =
    reconciled.length > 0 ? lines(reconciled) : el('p', {}, "No other system's record was looked at.");
  return section('findings', `Findings (${findings.length})`, ...cards, el('h3', {}, 'What was compared'), looked);
}

const results = { ok: 'ok', failed: 'failed', 'not-reached': 'not reached' } as const;

export function checksSection({ checks }: Report): HTMLElement {
  const rows = checks.map(({ check, result, detail }) =>
    el(
      'tr',
      {},
      el('th', { scope: 'row' }, check),
      el('td', {}, el('span', { class: `state ${result}` }, results[result])),
      el('td', {}, detail),
    ),
  );
  const head = el('tr', {}, ...['Check', 'Result', 'Looked at'].map((name) => el('th', { scope: 'col' }, name)));
  return section('checks', 'Checks', el('table', {}, el('thead', {}, head), el('tbody', {}, ...rows)));
}

/** What the verdict does not say, and what to compare with what you were told. */
export function limitsSection({ limits, root, checkpoint }: Report): HTMLElement | null {
  if (limits.length === 0 && !root && !checkpoint) return null;
  const facts: (readonly [string, Child])[] = [];
  if (root) facts.push(['Root key (SHA-256), as the case has it', el('code', {}, root)]);
  if (checkpoint) {
    facts.push(['Log', `${checkpoint.origin}, ${checkpoint.size} entries`]);
    facts.push(['Tree head', el('code', {}, checkpoint.root)]);
  }
  return section('limits', 'What this does not say', lines(limits), answers(facts));
}

/** The report itself, for machines and for comparing with what `deed verify --json` says. */
export function reportSection(report: Report): HTMLElement {
  const json = fold(['The whole report as JSON'], () => [exact(asciiJson(report))], { kind: 'json' });
  return section('report', 'Report', json);
}

/** JSON in which every other character than plain ASCII is escaped as JSON does it: nothing hides, and it parses. */
function asciiJson(value: unknown): string {
  return JSON.stringify(value, null, 2).replaceAll(
    /[^\x20-\x7e\n]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
