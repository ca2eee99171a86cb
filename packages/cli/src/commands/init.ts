import { mkdirSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { initServer } from '@deed/server';
import type { Command } from 'commander';
import { type CommonOptions, command } from '../options.ts';
import { bold, print } from '../output.ts';
import { agentSigner, passphrase } from '../secrets.ts';

interface InitFlags extends CommonOptions {
  readonly origin?: string;
  readonly keys: string;
  readonly witness?: string;
  readonly policy?: string;
  readonly passphraseFile?: string;
  readonly sshAgent: boolean;
}

/** Where sealed keys of people go when nobody says otherwise. */
export function defaultKeyFolder(): string {
  return join(process.env.XDG_CONFIG_HOME ?? join(homedir(), '.config'), 'deed');
}

export function initCommand(): Command {
  return command('init', 'make a deployment in a fresh folder: keys, log, local witness, first policy and waiver')
    .option('--origin <name>', "the log's name, for ever (default <random>.deed.local)")
    .option(
      '--keys <dir>',
      'where the sealed root key and your own sealed key go',
      (value) => resolve(value),
      defaultKeyFolder(),
    )
    .option('--witness <dir>', 'state folder of the local witness, outside the data folder', (value) => resolve(value))
    .option('--policy <dir>', 'policy bundle to put into force instead of the default one', (value) => resolve(value))
    .option(
      '--ssh-agent',
      'you sign with the first Ed25519 or P-256 key of your ssh-agent; no key file is made for you',
      false,
    )
    .option('--passphrase-file <file>', 'read the passphrase for the sealed keys from a file')
    .action(async (flags: InitFlags) => {
      const secret = await passphrase(
        flags.sshAgent ? 'A passphrase for the root key' : 'A passphrase for the root key and for your own key',
        flags,
        true,
      );
      mkdirSync(flags.keys, { recursive: true, mode: 0o700 });
      const rootFile = join(flags.keys, 'root.key.json');
      const personFile = join(flags.keys, 'person.key.json');
      const trustFile = join(flags.keys, 'trust.txt');
      const made = await initServer({
        dir: flags.data,
        passphrase: secret,
        rootFile,
        ...(flags.sshAgent ? { personSigner: await agentSigner() } : { personFile }),
        ...(flags.origin === undefined ? {} : { origin: flags.origin }),
        ...(flags.witness === undefined ? {} : { witnessFolder: flags.witness }),
        ...(flags.policy === undefined ? {} : { policyFolder: flags.policy }),
      });
      writeFileSync(trustFile, made.trustFile);
      const { origin, root, person } = made;
      print(
        { data: flags.data, origin, root, person, rootFile, personFile: flags.sshAgent ? null : personFile, trustFile },
        flags.json,
        () =>
          [
            `${bold('Made')} ${origin} in ${flags.data}`,
            `  root key     ${rootFile}  (take it offline; it is needed to change keys only)`,
            `  your key     ${flags.sshAgent ? 'in your ssh-agent' : personFile}  (person ${person}: operator and approver)`,
            `  trust file   ${trustFile}`,
            `  root         ${root}`,
            '',
            `Next: deed up --data ${flags.data}`,
          ].join('\n'),
      );
    });
}
