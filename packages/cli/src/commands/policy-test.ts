import { basename, resolve } from 'node:path';
import { checkBundle, readTable, ServerError, tablesOf, tryExample } from '@deed/server';
import { Command } from 'commander';
import { counted, green, print, red, yellow } from '../output.ts';
import { visible } from '../visible.ts';

interface Tested {
  readonly rows: readonly Row[];
  /** Policies that decided no row. */
  readonly untried: readonly string[];
}
interface Row {
  readonly table: string;
  readonly name: string;
  readonly passed: boolean;
  readonly expected: string;
  readonly came: string;
}

export function testCommand(): Command {
  return new Command('test')
    .description('try a policy bundle on tables of examples: exit code 0 all as they say, 3 not all')
    .argument('<folder>', 'where the bundle is')
    .argument('[tables...]', 'JSON files; without them, those in the folder tests of the bundle')
    .option('--json', 'print JSON', false)
    .action((folder: string, named: readonly string[], flags: { json: boolean }) => {
      const bundle = checkBundle(resolve(folder));
      const tables = named.length > 0 ? named.map((path) => resolve(path)) : tablesOf(resolve(folder));
      if (tables.length === 0)
        throw new ServerError('request', `there is no table: name one, or put it in ${folder}/tests`);
      const tried = tables.flatMap((path) =>
        readTable(path).map((example) => ({ table: basename(path), ...tryExample(bundle, example) })),
      );
      const decided = new Set(tried.flatMap(({ evaluation }) => evaluation.reasons));
      const tested: Tested = {
        rows: tried.map(({ table, name, passed, expected, evaluation }) => {
          const { outcome, tier, quorum, reasons, errors } = evaluation;
          const why = [...reasons, ...errors].join(', ');
          const by = quorum ? ` by ${quorum.people}, ${quorum.grade}` : '';
          return {
            table,
            name,
            passed,
            expected,
            came: `${outcome === 'deny' ? outcome : `${tier}${by}`} because of ${why || 'nothing'}`,
          };
        }),
        untried: [...bundle.policies.keys()].filter((id) => !decided.has(id)),
      };
      print(tested, flags.json, () => text(visible(tested)));
      process.exitCode = tested.rows.every(({ passed }) => passed) ? 0 : 3;
    });
}

function text({ rows, untried }: Tested): string {
  const failed = rows.filter(({ passed }) => !passed);
  return [
    ...failed.map(({ table, name, expected, came }) => red(`${table}: ${name}: expected ${expected}, came ${came}`)),
    failed.length === 0
      ? green(`${counted(rows.length, 'example')}, all as they say.`)
      : red(`${failed.length} of ${counted(rows.length, 'example')} came out otherwise.`),
    ...(untried.length > 0 ? [yellow(`Policies that decided none of them: ${untried.join(', ')}`)] : []),
  ].join('\n');
}
