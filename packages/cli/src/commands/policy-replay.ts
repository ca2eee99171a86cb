import { type RecordedDecision, type Replayed, replayAll, ServerError } from '@deed/server';
import type { Command } from 'commander';
import { Client } from '../client.ts';
import { archiveOf, decisionsOf, decisionsOfCase } from '../decisions.ts';
import { type CommonOptions, command } from '../options.ts';
import { bold, counted, green, print, red, yellow } from '../output.ts';
import { visible } from '../visible.ts';

interface ReplayFlags extends CommonOptions {
  readonly task?: string;
  readonly case?: string;
  readonly last: string;
}

/** One decision, and what came out when it was made again. */
interface Row {
  readonly statement: string;
  readonly action: string;
  readonly recorded: string;
  readonly result: 'same' | 'differs' | 'not replayed' | 'not kept';
  readonly detail: string;
}

export function replayCommand(): Command {
  return command(
    'replay',
    'make recorded decisions again with the archived bundle and engine: exit code 0 the same, 5 another outcome or other reasons, 4 some could not be made again',
  )
    .argument('[digest]', 'the statement that holds the decision; without it, the newest ones')
    .option('--task <id>', 'the decisions of this task')
    .option('--case <file>', 'those in a case (.deed), by the bundles in it')
    .option('--last <n>', 'so many at the most', '1000')
    .action(async (digest: string | undefined, flags: ReplayFlags) => {
      const { decisions, archive } = await find(digest, flags);
      if (decisions.length === 0) throw new ServerError('not-found', 'there is no such decision');
      const kept = decisions.flatMap(({ inputs, ...rest }) => (inputs === null ? [] : [{ ...rest, inputs }]));
      const replayed = await replayAll(kept, archive);
      const answers = new Map(kept.map(({ statement }, i) => [statement, replayed[i] as Replayed]));
      const rows = decisions.map((decision) => rowOf(decision, answers.get(decision.statement)));
      print({ rows }, flags.json, () => text(visible(rows)));
      const has = (result: Row['result']) => rows.some((row) => row.result === result);
      process.exitCode = has('differs') ? 5 : has('not replayed') || !has('same') ? 4 : 0;
    });
}

async function find(digest: string | undefined, { data, task, case: file, last }: ReplayFlags) {
  if (file === undefined) {
    const decisions = await decisionsOf(new Client(data), { task, statement: digest, last: Number(last) });
    return { decisions, archive: archiveOf(data) };
  }
  const { decisions, archive } = decisionsOfCase(file, data);
  const isAsked = (one: RecordedDecision) =>
    (digest === undefined || one.statement === digest) && (task === undefined || one.task === task);
  return { decisions: decisions.filter(isAsked), archive };
}

function rowOf({ statement, subject, decision, inputs }: RecordedDecision, replayed: Replayed | undefined): Row {
  const recorded = [decision.outcome, ...decision.reasons].join(' ');
  const base = { statement, action: subject, recorded };
  if (!replayed) {
    const detail = decision.inputs.kept && inputs === null ? 'its inputs were erased' : 'its inputs were only named';
    return { ...base, result: 'not kept', detail };
  }
  if ('failed' in replayed) return { ...base, result: 'not replayed', detail: replayed.message };
  const { evaluation, differs } = replayed;
  if (differs.length === 0) return { ...base, result: 'same', detail: '' };
  const now = [evaluation.outcome, ...evaluation.reasons, ...evaluation.errors].join(' ');
  return { ...base, result: 'differs', detail: `now ${now}` };
}

const colors = { same: green, differs: red, 'not replayed': yellow, 'not kept': (line: string) => line } as const;

function text(rows: readonly Row[]): string {
  const lines = rows.map(({ result, recorded, action, detail }) =>
    colors[result](`${result.padEnd(12)}  ${action}  ${recorded}${detail === '' ? '' : `: ${detail}`}`),
  );
  const of = (result: Row['result']) => rows.filter((row) => row.result === result).length;
  const sum = `${counted(rows.length, 'decision')}: ${of('same')} came out the same, ${of('differs')} differ, ${of('not replayed')} could not be made again, ${of('not kept')} not kept.`;
  return [...lines, bold(sum)].join('\n');
}
