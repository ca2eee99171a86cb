import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  keySigner,
  listKeys,
  readSealedKey,
  rotateKey,
  ServerError,
  type ServerKeyName,
  serverKeyNames,
  setSealed,
} from '@deed/server';
import { Command } from 'commander';
import { type CommonOptions, command } from '../options.ts';
import { bold, print, red, table } from '../output.ts';
import { localWitnessCommand } from '../process.ts';
import { keyPassphraseOf, keyPassphraseOption, passphrase } from '../secrets.ts';
import { defaultKeyFolder } from './init.ts';

export function keyCommand(): Command {
  return new Command('key')
    .description("the deployment's own keys, each with the part of the log for which it holds")
    .addCommand(list())
    .addCommand(rotate())
    .addCommand(seal())
    .addCommand(unseal());
}

function list(): Command {
  return command('list', 'every key the log names; also while the server runs').action((flags: CommonOptions) => {
    const keys = listKeys(flags.data).map(({ keyid, role, vkey, from, until, compromised }) => ({
      ...{ keyid, role, vkey, from, compromised },
      until: until === Number.POSITIVE_INFINITY ? null : until,
    }));
    print(keys, flags.json, () =>
      table(
        ['role', 'key', 'from', 'until', ''],
        keys.map(({ role, keyid, from, until, compromised }) => [
          role,
          keyid.slice(0, 16),
          String(from),
          until === null ? '-' : String(until),
          compromised ? 'compromised' : '',
        ]),
      ),
    );
  });
}

interface RotateFlags extends CommonOptions {
  readonly root: string;
  readonly trust: string;
  readonly compromisedFrom?: string;
  readonly passphraseFile?: string;
  readonly keyPassphraseFile?: string;
}

function rotate(): Command {
  return command('rotate', 'put a new key in the place of one, signed by the root; stop the server first')
    .argument('<key>', serverKeyNames.join(', '))
    .option('--root <file>', 'the sealed root key', join(defaultKeyFolder(), 'root.key.json'))
    .option('--trust <file>', 'where the new trust file goes', join(defaultKeyFolder(), 'trust.txt'))
    .option('--compromised-from <size>', 'tree size from which nothing that the old key signed is to be believed')
    .option('--passphrase-file <file>', 'read the passphrase of the root key from a file')
    .option(...keyPassphraseOption)
    .action(async (name: string, flags: RotateFlags) => {
      const key = serverKeyNames.find((known) => known === name);
      if (!key) throw new ServerError('request', `there is no key ${name}; choose one of ${serverKeyNames.join(', ')}`);
      const compromisedFrom = sizeOf(flags.compromisedFrom);
      const root = keySigner(
        await readSealedKey(flags.root, await passphrase('The passphrase of the root key', flags)),
      );
      const keyPassphrase = await keyPassphraseOf(flags);
      const rotated = await rotateKey({
        ...{ dir: flags.data, key, root, compromisedFrom, keyPassphrase },
        witnessCommand: localWitnessCommand,
      });
      writeFileSync(flags.trust, rotated.trustFile);
      const { ended, added, size, disbelieved } = rotated;
      print(
        { key, ended: ended.keyid, added: added.keyid, size, disbelieved, trustFile: flags.trust },
        flags.json,
        () => text(key, rotated.compromisedFrom, disbelieved, flags.trust, added.keyid),
      );
    });
}

function seal(): Command {
  return command('seal', "put the server's keys under a passphrase; stop the server first")
    .option(...keyPassphraseOption)
    .action(async (flags: CommonOptions & { keyPassphraseFile?: string }) => {
      const options = { passphraseFile: flags.keyPassphraseFile };
      const secret = await passphrase("A passphrase for the server's keys", options, true);
      await setSealed(flags.data, true, { passphrase: secret });
      print({ sealed: true }, flags.json, () => 'Sealed. From now on `deed up` needs the passphrase.');
    });
}

function unseal(): Command {
  return command('unseal', "let the server's keys lie open again; stop the server first")
    .option(...keyPassphraseOption)
    .action(async (flags: CommonOptions & { keyPassphraseFile?: string }) => {
      const options = { passphraseFile: flags.keyPassphraseFile };
      const secret = await passphrase("The passphrase of the server's keys", options);
      await setSealed(flags.data, false, { passphrase: secret });
      print({ sealed: false }, flags.json, () => 'Not sealed: whoever can read the folder has the keys.');
    });
}

function sizeOf(text: string | undefined): number | null {
  if (text === undefined) return null;
  if (!/^(0|[1-9][0-9]{0,14})$/.test(text)) {
    throw new ServerError(
      'request',
      `${text} is no tree size: give the number of entries the log had before the compromise`,
    );
  }
  return Number(text);
}

function text(
  key: ServerKeyName,
  compromisedFrom: number | null,
  disbelieved: Readonly<Record<string, number>>,
  trustFile: string,
  keyid: string,
): string {
  const lost = Object.entries(disbelieved);
  const isLogKey = key.startsWith('log-');
  return [
    `${bold('New')} ${key} key ${keyid}`,
    `  trust file   ${trustFile}  (hand it out again${isLogKey ? ', and give its log line to every witness' : ''})`,
    ...(compromisedFrom === null ? [] : [`  the old key  not to be believed from log index ${compromisedFrom} on`]),
    ...(lost.length === 0 ? [] : [red('  no longer believed, to be done again where it still matters:')]),
    ...lost.map(([predicate, count]) => `    ${count} ${predicate}`),
  ].join('\n');
}
