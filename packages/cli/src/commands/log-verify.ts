import { readFileSync } from 'node:fs';
import { parseTrust } from '@deed/evidence';
import { type LogFolderReport, verifyLogFolder } from '@deed/server';
import { Command } from 'commander';
import { bold, green, print, red, yellow } from '../output.ts';
import { visible } from '../visible.ts';

interface VerifyFlags {
  readonly trust: string;
  readonly json: boolean;
}

export function verifyLogCommand(): Command {
  return new Command('verify')
    .description(
      'from a copy of its files: hash every entry, make every tile and the root again (docs/guides/publish-the-log.md)',
    )
    .argument('<folder>', 'checkpoint and tiles: a mirror, a download, DATA/log')
    .requiredOption('--trust <file>', 'whom to believe')
    .option('--json', 'print the whole report as JSON', false)
    .action(async (folder: string, flags: VerifyFlags) => {
      const trust = parseTrust(readFileSync(flags.trust, 'utf8'));
      const report = await verifyLogFolder(folder, { trust, nowMs: Date.now() });
      print(report, flags.json, () => text(visible(report)));
      process.exitCode = report.code;
    });
}

const colors = { VERIFIED: green, UNANCHORED: yellow, INCOMPLETE: red, FORGED: red, unusable: red } as const;

function text(report: LogFolderReport): string {
  const { verdict, checkpoint, entries, files, witnesses, reasons, strays, limits } = report;
  return [
    colors[verdict](bold(verdict)),
    ...(checkpoint
      ? [`${checkpoint.origin}: ${entries} of ${checkpoint.size} entries hashed, ${files} files compared.`]
      : []),
    `Witnesses of the checkpoint: ${witnesses.map(({ name, time }) => `${name} (${time})`).join(', ') || 'none'}.`,
    ...reasons.map((reason) => `  ${reason.verdict} ${reason.message}`),
    ...strays.map((path) => `  no file of a log: ${path}`),
    ...limits.map((limit) => `Not shown: ${limit}`),
  ].join('\n');
}
