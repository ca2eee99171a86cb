import { toBase64 } from '@deed/evidence';
import { keyPersonSigner, type PersonSigner, readSealedKey, ServerError } from '@deed/server';
import type { Client } from './client.ts';
import { agentSigner, passphrase } from './secrets.ts';

export interface Person {
  readonly id: string;
  readonly keys: readonly { readonly public: string }[];
}

export interface SignerFlags {
  readonly key: string;
  readonly sshAgent: boolean;
  readonly passphraseFile?: string;
}

/** The key with which a person signs: the sealed one, or one of the ssh-agent that is enrolled. */
export async function signerOf(client: Client, flags: SignerFlags): Promise<PersonSigner> {
  if (!flags.sshAgent)
    return keyPersonSigner(await readSealedKey(flags.key, await passphrase('The passphrase of your key', flags)));
  const { people } = await client.get<{ people: Person[] }>('/v1/people');
  return agentSigner(people.flatMap(({ keys }) => keys.map((key) => key.public)));
}

/** Whose key it is. @throws ServerError request (nobody's at this deployment) */
export async function personOf(client: Client, signer: PersonSigner): Promise<Person> {
  const { people } = await client.get<{ people: Person[] }>('/v1/people');
  const person = people.find(({ keys }) => keys.some((key) => key.public === toBase64(signer.public)));
  if (!person) throw new ServerError('request', 'this key is not enrolled at this deployment');
  return person;
}
