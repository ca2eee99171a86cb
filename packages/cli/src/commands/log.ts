import { readFileSync, writeFileSync } from 'node:fs';
import { audit, examineFolder, type Health, startWitness } from '@deed/server';
import { Command } from 'commander';
import { Client } from '../client.ts';
import { type CommonOptions, command } from '../options.ts';
import { bold, green, print, red } from '../output.ts';
import { untilEnded } from '../process.ts';
import { visible } from '../visible.ts';
import { tsaCommand } from './tsa.ts';

export function logCommand(): Command {
  return new Command('log')
    .description('the log itself')
    .addCommand(checkpoint())
    .addCommand(check())
    .addCommand(witness())
    .addCommand(auditing())
    .addCommand(healthCommand())
    .addCommand(tsaCommand());
}

function checkpoint(): Command {
  return command('checkpoint', 'the newest published checkpoint').action(async (flags: CommonOptions) => {
    const note = await new Client(flags.data).text('/log/checkpoint');
    print({ note }, flags.json, () => note.trimEnd());
  });
}

/** What to do about each kind of problem. */
const mends = {
  database: 'restore the newest backup (docs/restore.md)',
  entry: 'restore the newest backup (docs/restore.md)',
  tile: 'compare with a mirror; a file below log/ that differs can be moved away, the next start makes it again',
  checkpoint: 'do not start the server; see docs/restore.md, step 3',
  state: 'restore the newest backup (docs/restore.md)',
  payload: 'put the object back from a backup; its digest stays provable without it',
  key: 'put the key back from the second place (docs/restore.md, step 4)',
  file: 'put the file back from a backup',
  missing: 'put it back from a backup; below log/ the next start makes it again',
  stray: 'nobody reads it; move it out of the data folder',
  unfinished: 'the next start puts it right',
} as const;

function check(): Command {
  return command(
    'fsck',
    'derive everything again from the entries, open every payload, and name what differs; also while the server runs',
  ).action(async (flags: CommonOptions) => {
    const report = examineFolder(flags.data);
    const serious = report.problems.filter(({ code }) => code !== 'unfinished');
    print(report, flags.json, () =>
      [
        ...[...Map.groupBy(report.problems, ({ where }) => where)].map(([where, found]) =>
          [
            bold(where),
            ...found.map(({ code, what }) => `  ${code === 'unfinished' ? what : red(what)}; ${mends[code]}`),
          ].join('\n'),
        ),
        report.ok
          ? green(`Sound: ${report.entries} entries, published up to ${report.publishedSize}.`)
          : red(`${serious.length} problems. Stop the server and keep a copy of the folder before anything else.`),
      ].join('\n'),
    );
    process.exitCode = report.ok ? 0 : 1;
  });
}

function healthCommand(): Command {
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

function auditing(): Command {
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

function witness(): Command {
  return new Command('witness')
    .description('run a witness over a state folder of its own')
    .requiredOption('--state <dir>', 'its state folder, outside every data folder')
    .option('--port <n>', 'port on 127.0.0.1 (default: any free one)', '0')
    .option('--with-parent', 'end when the standard input closes', false)
    .option('--json', 'print JSON', false)
    .action(async (flags: { state: string; port: string; withParent: boolean; json: boolean }) => {
      const running = await startWitness({ stateFolder: flags.state, port: Number(flags.port) });
      const { url, vkey } = running;
      process.stdout.write(flags.json ? `${JSON.stringify({ url, vkey })}\n` : `Witness at ${url}\n  vkey  ${vkey}\n`);
      await untilEnded(flags.withParent);
      await running.close();
    });
}
