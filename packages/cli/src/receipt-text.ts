import type { LogProofReport, ReceiptReport } from '@deed/evidence';
import { bold } from './output.ts';
import { checksText, conclusionText } from './report-text.ts';

/** What `deed verify` prints of a task receipt. */
export function receiptText(report: ReceiptReport, options: { readonly checks: boolean }): string {
  const parts = options.checks ? [checksText(report)] : [];
  if (report.receipt) {
    const { task, closed, index, statements, outputs, debts } = report.receipt;
    const lines = [
      `${bold('Receipt')}    ${task}`,
      `  closed     ${closed}, log index ${index}`,
      `  statements ${statements}`,
      ...outputs.map((output) => `  delivered  ${output}`),
      ...debts.map((debt) => `  debt       ${debt}`),
    ];
    if (report.artifact)
      lines.push(
        `  compared   ${report.artifact.outputs.join(', ') || `no output is the file with sha256 ${report.artifact.sha256}`}`,
      );
    parts.push(lines.join('\n'));
  }
  parts.push(conclusionText(report));
  return parts.join('\n\n');
}

/** What `deed verify` prints of a tlog-proof. */
export function logProofText(report: LogProofReport, options: { readonly checks: boolean }): string {
  const parts = options.checks ? [checksText(report)] : [];
  const { index, statement } = report;
  if (index !== null) {
    const lines = [`${bold('Entry')}      ${index}`];
    if (statement) lines.push(`  statement  ${statement.predicate} of ${statement.series}, ${statement.digest}`);
    parts.push(lines.join('\n'));
  }
  parts.push(conclusionText({ ...report, root: null }));
  return parts.join('\n\n');
}
