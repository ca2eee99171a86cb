import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseTrust, sigstoreTrustedRoot } from '@deed/evidence';
import { Command } from 'commander';
import { Client } from '../client.ts';
import { type CommonOptions, command } from '../options.ts';
import { bold, print } from '../output.ts';

export function trustCommand(): Command {
  return new Command('trust')
    .description('whom a verifier should believe')
    .addCommand(showCommand())
    .addCommand(sigstoreCommand());
}

function showCommand(): Command {
  return command('show', 'the trust file of this deployment, and the root to compare by another channel').action(
    async (flags: CommonOptions) => {
      const text = await new Client(flags.data).text('/v1/trust');
      const { root = '' } = parseTrust(text);
      print(
        { root, trust: text },
        flags.json,
        // What is said beside it is a comment there: the whole may be redirected into a file.
        () => `${text}\n# ${bold('Root, to be read out:')}\n#   ${root.match(/.{8}/g)?.join(' ')}`,
      );
    },
  );
}

function sigstoreCommand(): Command {
  return command('sigstore', "the log's keys as a trusted_root.json for Sigstore's verifiers (docs/formats/interop.md)")
    .option('--trust <file>', "from this trust file, without a server (default: the server's own)")
    .option('-o, --output <file>', 'where it goes', 'trusted_root.json')
    .action(async (flags: CommonOptions & { trust?: string; output: string }) => {
      const text =
        flags.trust === undefined ? await new Client(flags.data).text('/v1/trust') : readFileSync(flags.trust, 'utf8');
      const file = resolve(flags.output);
      writeFileSync(file, `${JSON.stringify(sigstoreTrustedRoot(parseTrust(text)), null, 2)}\n`, { flag: 'wx' });
      print(
        { trustedRoot: file },
        flags.json,
        () => `Wrote ${bold(file)}. It holds the log's keys; witnesses have no place in it.`,
      );
    });
}
