import { type ActionReport, type HopReport, layerNames, promptWords, type Report, type Verdict } from '@deed/evidence';
import { bold, dim, green, red, wrap, yellow } from './output.ts';
import { visible } from './visible.ts';

const width = 96;
const marks = { ok: green('ok  '), failed: red('FAIL'), 'not-reached': dim('--  ') } as const;

export function verdictText(verdict: Verdict): string {
  if (verdict === 'VERIFIED') return green(bold(verdict));
  return verdict === 'FORGED' || verdict === 'unusable' ? red(bold(verdict)) : yellow(bold(verdict));
}

/** What `deed verify` prints: the checks, the four answers of each action, the layers, the findings, the verdict. */
export function reportText(report: Report, options: { readonly checks: boolean }): string {
  const parts: string[] = [];
  if (options.checks) parts.push(checksText(report));
  if (report.task) {
    const { task, objective, principal, opened, closed, outputs, credentials } = report.task;
    parts.push(
      [
        `${bold('Task')}       ${task}`,
        `  ordered    ${objective}`,
        `  for        ${principal}`,
        `  open       ${opened} to ${closed ?? 'now: it is not closed'}`,
        ...outputs.map((output) => `  delivered  ${output}`),
        ...credentials.map((credential) => `  credential ${credential}`),
      ].join('\n'),
    );
  }
  if (report.hops.length > 0) parts.push(`${bold('Passed on')}\n${report.hops.map(hopText).join('\n')}`);
  if (report.actions.length > 0) parts.push(report.actions.map(actionText).join('\n\n'));
  if (report.findings.length > 0) {
    const findings = report.findings.map(({ type, severity, why, todo, state, until }) =>
      [
        `${yellow(bold(type))} (${severity})${state === 'open' ? '' : `, ${state}${until === null ? '' : ` until ${until}`}`}`,
        wrap(why, width - 2, '  '),
        wrap(`To do: ${todo}`, width - 2, '  '),
      ].join('\n'),
    );
    parts.push(`${bold('Findings')}\n${findings.join('\n')}`);
  }
  if (report.reconciled.length > 0)
    parts.push(`${bold('Reconciled')}\n${report.reconciled.map((line) => wrap(line, width - 2, '  ')).join('\n')}`);
  if (report.erasures.length > 0)
    parts.push(`${bold('Erased and held')}\n${report.erasures.map((line) => wrap(line, width - 2, '  ')).join('\n')}`);
  parts.push(conclusionText(report));
  return parts.join('\n\n');
}

/** The list of checks and how each ended. */
export function checksText({ checks }: Pick<Report, 'checks'>): string {
  return `${bold('Checks')}\n${checks.map(({ check, result, detail }) => `  ${marks[result]} ${check.padEnd(11)} ${dim(detail)}`).join('\n')}`;
}

function hopText({ delegator, delegate, limits, state, begun }: HopReport): string {
  return wrap(`${delegator} to ${delegate}: ${limits}; ${state}, ${begun} begun`, width - 2, '  ');
}

function actionText(action: ActionReport): string {
  const { tier, end, observed } = action;
  const by = (state: string) => layerNames.filter((name) => action.layers[name].state === state);
  const missing = by('missing').map((name) => `${name} (${action.layers[name].why})`);
  const lines = [
    `${bold('Action')}     ${action.action}  ${tier ?? 'no tier'}, ${end === 'ok' ? green(end) : yellow(end)}, ${observed}`,
    field('agent', action.agent),
    field('authority', action.authority),
    field('resource', action.resource),
    ...(action.trace
      ? [field('trace', `${action.trace.traceId}, span ${action.trace.spanId} (claimed by the caller)`)]
      : []),
    ...(action.prompt ? [field('prompt', promptWords[action.prompt])] : []),
    field('result', action.result),
    ...action.records.map((record) => field('recorded', visible(record))),
    field('layers', by('present').join(', ') || 'none'),
    ...(missing.length > 0 ? [field('missing', missing.join('; '))] : []),
  ];
  return lines.join('\n');
}

function field(name: string, text: string): string {
  const indent = ' '.repeat(13);
  return `  ${name.padEnd(10)} ${wrap(text, width - 13, indent).trimStart()}`;
}

/** The verdict with its reasons, what vouches for it, and what it does not say. */
export function conclusionText(
  report: Pick<Report, 'verdict' | 'code' | 'reasons' | 'checkpoint' | 'root' | 'witnesses' | 'limits'> &
    Partial<Pick<Report, 'timestamps'>>,
): string {
  const { verdict, code, reasons, checkpoint, root, witnesses, timestamps = [], limits } = report;
  const lines = [`${bold('Verdict')}    ${verdictText(verdict)} (exit code ${code})`];
  for (const { verdict: level, check, message } of reasons.slice(0, 20))
    lines.push(wrap(`${level} by ${check}: ${message}`, width - 2, '  '));
  if (reasons.length > 20) lines.push(`  and ${reasons.length - 20} more reasons (--json shows all)`);
  if (checkpoint)
    lines.push(`  log        ${checkpoint.origin}, size ${checkpoint.size}, root ${checkpoint.root.slice(0, 16)}…`);
  if (root) lines.push(`  root key   ${root}`);
  for (const { name, time } of witnesses) lines.push(`  witness    ${name} at ${time}`);
  for (const { size, time, certificate, discounted } of timestamps) {
    const doubt = discounted === null ? '' : `: does not count, ${discounted}`;
    lines.push(wrap(`timestamp  size ${size} at ${time} by ${certificate.slice(0, 16)}…${doubt}`, width - 2, '  '));
  }
  for (const limit of limits) lines.push(dim(wrap(limit, width - 2, '  ')));
  return lines.join('\n');
}
