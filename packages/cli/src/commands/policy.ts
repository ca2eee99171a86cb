import { join, resolve } from 'node:path';
import { encodeActivation } from '@deed/evidence';
import { checkBundle, keyPersonSigner, readSealedKey } from '@deed/server';
import { Command } from 'commander';
import { Client } from '../client.ts';
import { type CommonOptions, command } from '../options.ts';
import { bold, green, print } from '../output.ts';
import { personOf } from '../person.ts';
import { passphrase } from '../secrets.ts';
import { defaultKeyFolder } from './init.ts';
import { impactCommand } from './policy-impact.ts';
import { replayCommand } from './policy-replay.ts';
import { testCommand } from './policy-test.ts';

export function policyCommand(): Command {
  return new Command('policy')
    .description('check, try, activate and replay policy')
    .addCommand(check())
    .addCommand(testCommand())
    .addCommand(impactCommand())
    .addCommand(activate())
    .addCommand(show())
    .addCommand(replayCommand());
}

function check(): Command {
  return new Command('check')
    .description('validate a policy bundle: a folder with schema.cedarschema and *.cedar')
    .argument('<folder>', 'where the bundle is')
    .option('--json', 'print JSON', false)
    .action((folder: string, flags: { json: boolean }) => {
      const { digest, files } = checkBundle(resolve(folder));
      print({ digest, files: files.map(({ path }) => path) }, flags.json, () =>
        green(`Valid: ${files.length} files, bundle ${digest}`),
      );
    });
}

interface ActivateFlags extends CommonOptions {
  readonly key: string;
  readonly passphraseFile?: string;
}

function activate(): Command {
  return command('activate', 'put a policy bundle into force, signed by you')
    .argument('<folder>', 'where the bundle is')
    .option('--key <file>', 'your sealed key', join(defaultKeyFolder(), 'person.key.json'))
    .option('--passphrase-file <file>', 'read the passphrase from a file')
    .action(async (path: string, flags: ActivateFlags) => {
      const folder = resolve(path);
      const { digest } = checkBundle(folder);
      const client = new Client(flags.data);
      const signer = keyPersonSigner(
        await readSealedKey(flags.key, await passphrase('The passphrase of your key', flags)),
      );
      const { next, origin } = await client.get<{ next: number; origin: string }>('/v1/policy');
      const person = await personOf(client, signer);
      const bytes = encodeActivation({
        origin,
        bundle: digest,
        version: next,
        person: person.id,
        time: new Date().toISOString(),
      });
      const active = await client.post('/v1/policy', { folder, word: await signer.word('deed-activation-v1', bytes) });
      print(active, flags.json, () => `In force: ${bold(digest)}, version ${next}.`);
    });
}

function show(): Command {
  return command('show', 'the policy in force').action(async (flags: CommonOptions) => {
    const policy = await new Client(flags.data).get<{ bundle: string; version: number }>('/v1/policy');
    print(policy, flags.json, () => `Version ${policy.version}, bundle ${policy.bundle}`);
  });
}
