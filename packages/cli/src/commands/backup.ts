import { resolve } from 'node:path';
import { backup, restore, verifyBackup } from '@deed/server';
import { Command } from 'commander';
import { type CommonOptions, command } from '../options.ts';
import { bold, counted, green, print, red, yellow } from '../output.ts';

export function backupCommand(): Command {
  return new Command('backup')
    .description('copy a data folder, verify a copy, restore one (docs/restore.md)')
    .addCommand(make(), { isDefault: true })
    .addCommand(check())
    .addCommand(back());
}

function make(): Command {
  return command('make', 'copy the data folder, also while its server runs; `deed backup DIR` is the same')
    .argument('<dir>', 'where it goes: a fresh folder, or an earlier backup to bring up to date', (path) =>
      resolve(path),
    )
    .option('--keys <dir>', 'also copy the keys, to this second place', (path) => resolve(path))
    .option('--prune-keys', 'remove task keys there that the data folder no longer has (erased tasks)', false)
    .action((to: string, flags: CommonOptions & { keys?: string; pruneKeys: boolean }) => {
      const keys = flags.keys === undefined ? {} : { keysTo: flags.keys };
      const report = backup({ dir: flags.data, to, ...keys, pruneKeys: flags.pruneKeys });
      print({ backup: to, keys: flags.keys ?? null, ...report }, flags.json, () =>
        [
          `${bold('Backed up')} ${report.origin} to ${to}: ${report.entries} entries, ${report.files} files, ${report.copied} copied now.`,
          flags.keys === undefined
            ? yellow('No keys: without a second place (--keys DIR) nothing of this can be opened or go on.')
            : `Keys are in ${flags.keys}. Keep the two places apart.`,
          ...(report.goneKeys.length > 0 && !report.pruned
            ? [
                yellow(
                  `Gone from the data folder, still there: ${counted(report.goneKeys.length, 'task key')}; if erased: --prune-keys.`,
                ),
              ]
            : []),
        ].join('\n'),
      );
    });
}

function check(): Command {
  return new Command('verify')
    .description('compare every file of a backup with its manifest, and derive its log again')
    .argument('<dir>', 'the backup', (path) => resolve(path))
    .option('--keys', 'it is the folder of the keys', false)
    .option('--json', 'print JSON', false)
    .action((dir: string, flags: { keys: boolean; json: boolean }) => {
      const { ok, manifest, problems } = verifyBackup(dir, flags.keys ? 'keys' : 'data');
      const { files, ...about } = manifest;
      print({ ok, ...about, files: files.length, problems }, flags.json, () =>
        [
          ...problems.map(({ where, what }) => red(`${where}: ${what}`)),
          ok
            ? green(
                `Sound: ${manifest.origin} as of ${manifest.made}, ${manifest.entries} entries, ${files.length} files.`,
              )
            : red(`${counted(problems.length, 'problem')}: do not rely on this backup, make another.`),
        ].join('\n'),
      );
      process.exitCode = ok ? 0 : 1;
    });
}

function back(): Command {
  return command('restore', 'lay out a fresh data folder (--data) from a backup and its keys')
    .argument('<dir>', 'the backup', (path) => resolve(path))
    .requiredOption('--keys <dir>', 'the folder of the keys', (path) => resolve(path))
    .action((from: string, flags: CommonOptions & { keys: string }) => {
      const { origin, entries, made } = restore(from, flags.keys, flags.data);
      print(
        { data: flags.data, origin, entries, made },
        flags.json,
        () =>
          `${bold('Restored')} ${origin} as of ${made} (${entries} entries) to ${flags.data}.\nNext: deed up --data ${flags.data}. It refuses if its witness knows more: docs/restore.md, step 3.`,
      );
    });
}
