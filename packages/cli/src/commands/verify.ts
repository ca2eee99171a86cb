import { readFileSync } from 'node:fs';
import { verify } from '@deed/evidence';
import { Command } from 'commander';
import { print } from '../output.ts';
import { reportText } from '../report-text.ts';
import { visible } from '../visible.ts';

export function verifyCommand(): Command {
  return new Command('verify')
    .description('verify a case, offline: exit code 0 VERIFIED, 3 UNANCHORED, 4 INCOMPLETE, 5 FORGED, 2 unusable')
    .argument('<case>', 'a .deed file')
    .option('--trust <file>', 'whom to believe; without it nothing is better than UNANCHORED')
    .option('--no-checks', 'leave out the list of checks')
    .option('--json', 'print the whole report as JSON', false)
    .action((file: string, flags: { trust?: string; checks: boolean; json: boolean }) => {
      const trust = flags.trust === undefined ? undefined : readFileSync(flags.trust, 'utf8');
      const report = verify(readFileSync(file), { trust });
      print(report, flags.json, () => reportText(visible(report), { checks: flags.checks }));
      process.exitCode = report.code;
    });
}
