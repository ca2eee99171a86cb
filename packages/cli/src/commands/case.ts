import { readFileSync, writeFileSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { makeReadingCopy } from '@deed/reading-copy';
import { Command } from 'commander';
import { Client } from '../client.ts';
import { type CommonOptions, command } from '../options.ts';
import { bold, print } from '../output.ts';

export function caseCommand(): Command {
  return new Command('case')
    .description('export the evidence about a task')
    .addCommand(exportCommand())
    .addCommand(pageCommand());
}

function exportCommand(): Command {
  return command('export', 'write the case of a closed task')
    .argument('<task>')
    .option('-o, --output <file>', 'where it goes (default <task>.deed)')
    .option('--html [file]', 'write a page for reading it too (default: the name of the case, with .html)')
    .action(async (task: string, flags: CommonOptions & { output?: string; html?: string | true }) => {
      const bytes = await new Client(flags.data).postForBytes(`/v1/tasks/${task}/case`);
      const file = resolve(flags.output ?? `${task}.deed`);
      writeFileSync(file, bytes, { flag: 'wx' });
      const page = flags.html === undefined ? null : pageFile(file, flags.html);
      if (page !== null) await writePage(file, bytes, page);
      print({ case: file, sizeBytes: bytes.length, ...(page === null ? {} : { page }) }, flags.json, () =>
        [
          `Wrote ${bold(file)} (${bytes.length} bytes). Verify it: deed verify ${file} --trust TRUST`,
          ...(page === null ? [] : [`Wrote ${bold(page)}, a copy for reading.`]),
        ].join('\n'),
      );
    });
}

function pageCommand(): Command {
  return new Command('page')
    .description('make a page for reading a case: it holds the case and the verifier, and is never a verdict; offline')
    .argument('<case>', 'a .deed file')
    .option('-o, --output <file>', 'where it goes (default: the name of the case, with .html)')
    .option('--json', 'print JSON', false)
    .action(async (file: string, flags: { output?: string; json: boolean }) => {
      const page = pageFile(file, flags.output ?? true);
      const sizeBytes = await writePage(file, readFileSync(file), page);
      print(
        { page, sizeBytes },
        flags.json,
        () => `Wrote ${bold(page)} (${sizeBytes} bytes). For a verdict: deed verify ${file} --trust TRUST`,
      );
    });
}

function pageFile(file: string, wanted: string | true): string {
  return resolve(wanted === true ? `${file.replace(/\.deed$/, '')}.html` : wanted);
}

/** Writes the reading copy of a case and returns its size in bytes. */
async function writePage(file: string, bytes: Uint8Array, page: string): Promise<number> {
  const made = await makeReadingCopy(bytes, basename(file));
  writeFileSync(page, made, { flag: 'wx' });
  return made.length;
}
