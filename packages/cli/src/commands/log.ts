import { examineOnAllCores } from '@deed/server';
import { Command } from 'commander';
import { Client } from '../client.ts';
import { type CommonOptions, command } from '../options.ts';
import { bold, counted, green, print, red } from '../output.ts';
import { auditCommand, healthCommand } from './log-audit.ts';
import { consistencyCommand, proofCommand } from './log-proof.ts';
import { verifyLogCommand } from './log-verify.ts';
import { tsaCommand } from './tsa.ts';
import { witnessCommand } from './witness.ts';

export function logCommand(): Command {
  return new Command('log')
    .description('the log itself')
    .addCommand(checkpoint())
    .addCommand(check())
    .addCommand(proofCommand())
    .addCommand(consistencyCommand())
    .addCommand(verifyLogCommand())
    .addCommand(auditCommand())
    .addCommand(healthCommand())
    .addCommand(witnessCommand())
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
    const report = await examineOnAllCores(flags.data);
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
          : red(
              `${counted(serious.length, 'problem')}. Stop the server and keep a copy of the folder before anything else.`,
            ),
      ].join('\n'),
    );
    process.exitCode = report.ok ? 0 : 1;
  });
}
