import { parseTrust } from '@deed/evidence';
import { Command } from 'commander';
import { Client } from '../client.ts';
import { type CommonOptions, command } from '../options.ts';
import { bold, print } from '../output.ts';

export function trustCommand(): Command {
  return new Command('trust').description('whom a verifier should believe').addCommand(
    command('show', 'the trust file of this deployment, and the root to compare by another channel').action(
      async (flags: CommonOptions) => {
        const text = await new Client(flags.data).text('/v1/trust');
        const { root = '' } = parseTrust(text);
        print(
          { root, trust: text },
          flags.json,
          () => `${text}\n${bold('Root, to be read out:')}\n  ${root.match(/.{8}/g)?.join(' ')}`,
        );
      },
    ),
  );
}
