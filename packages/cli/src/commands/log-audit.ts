import { readFileSync, writeFileSync } from 'node:fs';
import { audit, type Health } from '@deed/server';
import { Command } from 'commander';
import { Client } from '../client.ts';
import { type CommonOptions, command } from '../options.ts';
import { bold, green, print, red } from '../output.ts';
import { visible } from '../visible.ts';

export function healthCommand(): Command {
  return command('health', "what the server's background check found: exit code 1 for damage").action(
    async (flags: CommonOptions) => {
      const { health } = JSON.parse(await new Client(flags.data).text('/v1/status')) as { health: Health | null };
      print({ health }, flags.json, () => {
        if (!health) return 'The background check is off (deed up --scrub-hours).';
        const { lastPass, entries, problems, failed } = health;
        if (lastPass === null) return failed ?? 'No pass has ended yet.';
        return [
          ...(failed === null ? [] : [red(`The last pass failed: ${failed}`)]),
          ...problems.map(({ where, what }) => red(`${where}: ${what}`)),
          health.ok
            ? green(`Sound at ${lastPass}: ${entries} entries.`)
            : red(`DAMAGE at ${lastPass}: run deed log fsck.`),
        ].join('\n');
      });
      process.exitCode = health?.ok === false || (health && health.failed !== null) ? 1 : 0;
    },
  );
}

interface AuditFlags {
  readonly log: string;
  readonly trust: string;
  readonly statements?: string;
  readonly output?: string;
  readonly json: boolean;
}

export function auditCommand(): Command {
  return new Command('audit')
    .description('from outside: open each published leaf to exactly one place in one series (docs/guides/audit.md)')
    .argument('[cases...]', 'exported cases whose statements open the leaves')
    .requiredOption('--log <where>', 'URL of the published log (…/log/), or a folder with its files')
    .requiredOption('--trust <file>', 'whom to believe')
    .option('--statements <dir>', 'a data folder: it has every statement, so a leaf it cannot open is FORGED')
    .option('-o, --output <file>', 'also write the whole report there, as JSON')
    .option('--json', 'print the whole report as JSON', false)
    .action(async (cases: string[], flags: AuditFlags) => {
      const report = await audit({
        log: flags.log,
        trust: readFileSync(flags.trust, 'utf8'),
        cases,
        ...(flags.statements === undefined ? {} : { dir: flags.statements }),
      });
      if (flags.output) writeFileSync(flags.output, `${JSON.stringify(report, null, 2)}\n`, { flag: 'wx' });
      print(report, flags.json, () => auditText(visible(report)));
      process.exitCode = report.code;
    });
}

function auditText(report: Awaited<ReturnType<typeof audit>>): string {
  const { verdict, origin, entries, opened, series, witnesses, reasons } = report;
  const color = verdict === 'VERIFIED' ? green : red;
  return [
    color(bold(verdict)),
    `${origin}: ${opened} of ${entries} entries opened, each to one place, in ${series} series.`,
    `Witnesses of the checkpoint: ${witnesses.join(', ') || 'none'}.`,
    ...reasons.map((reason) => `  ${reason.verdict} ${reason.check}: ${reason.message}`),
  ].join('\n');
}
