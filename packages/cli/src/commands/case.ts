import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Command } from 'commander';
import { Client } from '../client.ts';
import { type CommonOptions, command } from '../options.ts';
import { bold, print } from '../output.ts';

export function caseCommand(): Command {
  return new Command('case').description('export the evidence about a task').addCommand(
    command('export', 'write the case of a closed task')
      .argument('<task>')
      .option('-o, --output <file>', 'where it goes (default <task>.deed)')
      .action(async (task: string, flags: CommonOptions & { output?: string }) => {
        const bytes = await new Client(flags.data).postForBytes(`/v1/tasks/${task}/case`);
        const file = resolve(flags.output ?? `${task}.deed`);
        writeFileSync(file, bytes, { flag: 'wx' });
        print(
          { case: file, sizeBytes: bytes.length },
          flags.json,
          () => `Wrote ${bold(file)} (${bytes.length} bytes). Verify it: deed verify ${file} --trust TRUST`,
        );
      }),
  );
}
