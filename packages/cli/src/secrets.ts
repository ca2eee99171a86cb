import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isCancel, password } from '@clack/prompts';
import { toBase64 } from '@deed/evidence';
import { isSealed, type PersonSigner, ServerError, sshAgentIdentities, sshPersonSigner } from '@deed/server';

export interface PassphraseOptions {
  readonly passphraseFile?: string | undefined;
}

/** A passphrase from a file, or asked for at the terminal. @throws ServerError request (no file, and nobody to ask) */
export async function passphrase(message: string, options: PassphraseOptions, repeat = false): Promise<string> {
  if (options.passphraseFile !== undefined) return readFileSync(options.passphraseFile, 'utf8').replace(/\r?\n$/, '');
  if (!process.stdin.isTTY) {
    throw new ServerError(
      'request',
      'a passphrase is needed and there is no terminal to ask at: give --passphrase-file',
    );
  }
  const first = await ask(message);
  if (repeat && (await ask('The same again')) !== first) throw new ServerError('request', 'the two passphrases differ');
  return first;
}

export const keyPassphraseOption = [
  '--key-passphrase-file <file>',
  "read the passphrase of the server's keys from a file (default: the systemd credential deed-keys)",
] as const;

/** The passphrase of the server's keys, if they are sealed: from the file named, systemd's credential, or the terminal. */
export async function keyPassphraseOf(flags: {
  readonly data: string;
  readonly keyPassphraseFile?: string | undefined;
}): Promise<string | undefined> {
  if (!isSealed(flags.data)) return undefined;
  const credential = process.env.CREDENTIALS_DIRECTORY && join(process.env.CREDENTIALS_DIRECTORY, 'deed-keys');
  const passphraseFile = flags.keyPassphraseFile ?? (credential && existsSync(credential) ? credential : undefined);
  if (passphraseFile === undefined && !process.stdin.isTTY) {
    throw new ServerError(
      'request',
      "the server's keys are sealed and there is no terminal to ask at: give --key-passphrase-file",
    );
  }
  return passphrase("The passphrase of the server's keys", { passphraseFile });
}

async function ask(message: string): Promise<string> {
  const answer = await password({ message, validate: (value) => ((value ?? '') === '' ? 'not empty' : undefined) });
  if (isCancel(answer)) throw new ServerError('request', 'no passphrase was given');
  return answer;
}

/**
 * The first key of the running ssh-agent that can sign words and, if given, is one of those that are enrolled (base64).
 * @throws ServerError request; AuthorityError ssh-agent
 */
export async function agentSigner(enrolled?: readonly string[]): Promise<PersonSigner> {
  const identities = await sshAgentIdentities();
  const identity = identities.find(({ key }) => enrolled?.includes(toBase64(key)) ?? true);
  if (!identity) {
    const what = enrolled ? 'that is enrolled at this deployment' : 'of kind Ed25519 or P-256';
    throw new ServerError('request', `the ssh-agent holds no key ${what}`);
  }
  return sshPersonSigner(identity.key);
}
