import { resolve } from 'node:path';
import { type Evaluation, evaluateCandidate, parseInputs, type RecordedDecision, replayAll } from '@deed/server';
import type { Command } from 'commander';
import { Client } from '../client.ts';
import { archiveOf, decisionsOf } from '../decisions.ts';
import { type CommonOptions, command } from '../options.ts';
import { bold, counted, print, table } from '../output.ts';
import { visible } from '../visible.ts';

interface ImpactFlags extends CommonOptions {
  readonly last: string;
}

interface Change {
  readonly statement: string;
  readonly action: string;
  readonly was: string;
  readonly would: string;
}

export function impactCommand(): Command {
  return command(
    'impact',
    'the newest decisions under another bundle, and which would have been others: exit code 0 none, 3 some',
  )
    .argument('<folder>', 'where the bundle is')
    .option('--last <n>', 'so many decisions', '200')
    .action(async (folder: string, { data, json, last }: ImpactFlags) => {
      const decisions = await decisionsOf(new Client(data), { last: Number(last) });
      const kept = decisions.flatMap(({ inputs, ...rest }) => (inputs === null ? [] : [{ ...rest, inputs }]));
      const jobs = kept.map(({ inputs, call }) => ({ requests: parseInputs(inputs).requests, source: call }));
      const [before, after] = await Promise.all([
        replayAll(kept, archiveOf(data)),
        evaluateCandidate(resolve(folder), jobs),
      ]);
      const changes = kept.flatMap((one, i): Change[] => {
        const then = before[i];
        const was = then && 'evaluation' in then ? inWords(then.evaluation) : recordedInWords(one);
        const would = inWords(after[i] as Evaluation);
        return was === would ? [] : [{ statement: one.statement, action: one.subject, was, would }];
      });
      const seen = { decisions: decisions.length, kept: kept.length, changes };
      print(seen, json, () => text(visible(seen)));
      process.exitCode = changes.length > 0 ? 3 : 0;
    });
}

/** Outcome, the tier of what is allowed, and by which policies. */
function inWords({ outcome, tier, quorum, reasons, errors }: Evaluation): string {
  const why = [...reasons, ...errors].join(', ');
  const by = quorum && (quorum.people > 1 || quorum.grade !== 'A0') ? ` by ${quorum.people}, ${quorum.grade}` : '';
  return `${outcome === 'allow' ? `allow ${tier}${by}` : 'deny'} (${why === '' ? 'nothing permits it' : why})`;
}

/** What was recorded of a decision that cannot be made again. */
function recordedInWords({ decision, tier }: Omit<RecordedDecision, 'inputs'>): string {
  const { outcome, quorum, reasons, errors } = decision;
  return inWords({ outcome, tier: tier ?? 'record', quorum, reasons, errors });
}

function text({ decisions, kept, changes }: { decisions: number; kept: number; changes: readonly Change[] }): string {
  const unseen = decisions - kept;
  const sum = [
    bold(`${counted(changes.length, 'decision')} of ${kept} would be another.`),
    ...(unseen > 0 ? [`${counted(unseen, 'decision')} more: their inputs are not kept.`] : []),
  ];
  if (changes.length === 0) return sum.join('\n');
  const rows = changes.map(({ action, was, would }) => [action, was, would]);
  return [table(['action', 'was', 'would be'], rows), ...sum].join('\n');
}
