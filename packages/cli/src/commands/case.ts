import { createPublicKey } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { caseBundle, EvidenceError, verify } from '@deed/evidence';
import { Command } from 'commander';
import { Client } from '../client.ts';
import { type CommonOptions, command } from '../options.ts';
import { bold, print } from '../output.ts';

export function caseCommand(): Command {
  return new Command('case')
    .description('export the evidence about a task')
    .addCommand(exportCommand())
    .addCommand(bundleCommand());
}

function exportCommand(): Command {
  return command('export', 'write the case of a closed task')
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
    });
}

interface BundleFlags {
  readonly output: string;
  readonly statement?: string;
  readonly key?: string;
  readonly json: boolean;
}

function bundleCommand(): Command {
  return new Command('bundle')
    .description('write one statement of a case as a Sigstore bundle (docs/formats/interop.md); needs no server')
    .argument('<case>', 'a .deed file')
    .requiredOption('-o, --output <file>', 'where the bundle goes')
    .option('--statement <index>', "the statement's log index (default: the closing of the task)")
    .option('--key <file>', 'also write the public key of its signer, as PEM')
    .option('--json', 'print JSON', false)
    .action((name: string, flags: BundleFlags) => {
      const bytes = readFileSync(name);
      const { verdict } = verify(bytes);
      if (verdict === 'FORGED' || verdict === 'unusable') {
        throw new EvidenceError('case', `${name} is ${verdict}: no bundle is made of it; see deed verify ${name}`);
      }
      const { index, spki, bundle } = caseBundle(
        bytes,
        flags.statement === undefined ? undefined : indexOf(flags.statement),
      );
      const file = resolve(flags.output);
      writeFileSync(file, `${JSON.stringify(bundle)}\n`, { flag: 'wx' });
      if (flags.key !== undefined) {
        const key = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
        writeFileSync(resolve(flags.key), key.export({ format: 'pem', type: 'spki' }), { flag: 'wx' });
      }
      print({ bundle: file, index }, flags.json, () => `Wrote ${bold(file)}: the statement with log index ${index}.`);
    });
}

function indexOf(text: string): number {
  if (!/^(0|[1-9][0-9]{0,11})$/.test(text))
    throw new EvidenceError('case', `--statement takes a log index, not ${text}`);
  return Number(text);
}
