import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { confirm as ask, isCancel } from '@clack/prompts';
import {
  encodePeopleWord,
  fingerprintOf,
  type PeopleChange,
  type PersonKey,
  type PersonRole,
  readSshPublicKeyLine,
  toBase64,
} from '@deed/evidence';
import { newP256, ServerError, spkiOf, writeSealedKey } from '@deed/server';
import { Command } from 'commander';
import { Client } from '../client.ts';
import { type CommonOptions, command } from '../options.ts';
import { bold, green, print, table, yellow } from '../output.ts';
import { personOf, type SignerFlags, signerOf } from '../person.ts';
import { passphrase } from '../secrets.ts';
import { visible } from '../visible.ts';
import { defaultKeyFolder } from './init.ts';

interface People {
  readonly origin: string;
  readonly after: string;
  readonly people: readonly {
    readonly id: string;
    readonly label: string;
    readonly roles: readonly PersonRole[];
    readonly keys: readonly PersonKey[];
  }[];
  readonly invited: readonly Invited[];
  readonly waiting: { readonly person: string; readonly change: PeopleChange; readonly by: string } | null;
}

interface Invited {
  readonly person: string;
  readonly label: string;
  readonly roles: readonly PersonRole[] | null;
  readonly expires: string;
  readonly offered: PersonKey | null;
}

const fingerprintOption = [
  '--fingerprint <hex>',
  'the whole fingerprint that the person told you (without it you are shown one and asked)',
] as const;

type OrderFlags = CommonOptions & SignerFlags;

export function personCommand(): Command {
  return new Command('person')
    .description('who may operate, approve and read: let people in, give and take keys and roles')
    .addCommand(list())
    .addCommand(invite())
    .addCommand(offer())
    .addCommand(confirm())
    .addCommand(roles())
    .addCommand(removeKey())
    .addCommand(remove())
    .addCommand(cosign())
    .addCommand(oidc())
    .addCommand(link())
    .addCommand(erase());
}

function list(): Command {
  return command('list', 'the people, who is invited, and what waits for a second person').action(
    async (flags: CommonOptions) => {
      const all = await new Client(flags.data).get<People>('/v1/people');
      print(all, flags.json, () =>
        [
          table(
            ['person', 'roles', 'called', 'keys'],
            all.people.map(({ id, roles, label, keys }) => [
              ...[id, roles.join(', '), visible(label)],
              keys.map((key) => `${key.kind} ${fingerprintOf(key).slice(0, 9)}`).join(', '),
            ]),
          ),
          ...all.invited.map(
            ({ person, label, offered, expires }) =>
              `${yellow('invited')}  ${person} (${visible(label)}), until ${expires}: ${offered ? `handed in ${bold(fingerprintOf(offered))}` : 'no key yet'}`,
          ),
          ...(all.waiting
            ? [`${yellow('waits')}    for a second person: ${inWords(all.waiting)}, ordered by ${all.waiting.by}`]
            : []),
        ].join('\n'),
      );
    },
  );
}

function invite(): Command {
  return command('invite', 'a one-time code with which somebody hands in a key')
    .option('--role <role...>', 'operator, approver, auditor')
    .option('--label <name>', 'how you call them; never in the log')
    .option('--for <person>', 'another key of somebody who is enrolled, instead of a new person')
    .action(async (flags: CommonOptions & { role?: string[]; label?: string; for?: string }) => {
      if (flags.for === undefined && (flags.role === undefined || flags.label === undefined))
        throw new ServerError('request', 'say who: --role and --label, or --for PERSON for another key of theirs');
      const body = flags.for === undefined ? { roles: flags.role, label: flags.label } : { person: flags.for };
      const client = new Client(flags.data);
      const made = await client.post<{ code: string; person: string; expiresMs: number; url: string | null }>(
        '/v1/people/invite',
        body,
      );
      print(made, flags.json, () =>
        [
          `One-time invitation of ${bold(made.person)}, good until ${new Date(made.expiresMs).toISOString()}:`,
          ...(made.url === null ? [] : [`  ${made.url}`]),
          `  or, on this machine: deed person offer --code ${made.code} --new-key person.key.json`,
          `They tell you the fingerprint of their key by a way that you trust. Then type: deed person confirm ${made.person}`,
        ].join('\n'),
      );
    });
}

function offer(): Command {
  return command('offer', 'hand in a key of your own on a one-time code')
    .requiredOption('--code <code>', 'the one-time code')
    .option('--new-key <file>', 'make a new key and seal it into this file')
    .option('--ssh-public-key <file>', 'a public key of yours, as in ~/.ssh/id_ed25519.pub')
    .option('--passphrase-file <file>', 'read the passphrase for the new key from a file')
    .action(
      async (
        flags: CommonOptions & { code: string; newKey?: string; sshPublicKey?: string; passphraseFile?: string },
      ) => {
        const key = flags.sshPublicKey === undefined ? await sealed(flags) : fromSsh(flags.sshPublicKey);
        const made = await new Client(flags.data).post<Invited>('/v1/people/offer', { code: flags.code, key });
        print(made, flags.json, () =>
          [
            `Handed in. The fingerprint of your key: ${bold(fingerprintOf(key))}`,
            'Tell it to the operator who invited you. The key counts once he has confirmed it.',
          ].join('\n'),
        );
      },
    );
}

function confirm(): Command {
  return ordering('confirm', 'let a key in that was handed in, signed by you')
    .argument('<person>', 'the id that the invitation named')
    .option(...fingerprintOption)
    .action(async (id: string, flags: OrderFlags & { fingerprint?: string }) => {
      const { invited } = await new Client(flags.data).get<People>('/v1/people');
      const found = invited.find(({ person, offered }) => person === id && offered);
      if (!found?.offered) throw new ServerError('request', `no key was handed in for ${id}; see: deed person list`);
      const { kind, public: bytes } = found.offered;
      const key = { kind, public: bytes };
      await compare(key, flags.fingerprint);
      const change: PeopleChange = found.roles
        ? { kind: 'enrolled', key, roles: [...found.roles] }
        : { kind: 'key-added', key };
      await order(flags, id, change);
    });
}

function roles(): Command {
  return ordering('roles', 'what a person may do from now on, signed by you')
    .argument('<person>', 'who')
    .requiredOption('--role <role...>', 'all of them: operator, approver, auditor')
    .action((id: string, flags: OrderFlags & { role: PersonRole[] }) =>
      order(flags, id, { kind: 'roles', roles: flags.role }),
    );
}

function removeKey(): Command {
  return ordering('remove-key', 'take a key away: it signs nothing any more, signed by you')
    .argument('<person>', 'who')
    .requiredOption('--fingerprint <hex>', 'the first digits of the key, from deed person list')
    .action(async (id: string, flags: OrderFlags & { fingerprint: string }) => {
      const { people } = await new Client(flags.data).get<People>('/v1/people');
      const keys = people.find((person) => person.id === id)?.keys ?? [];
      const found = keys.filter((key) => plain(fingerprintOf(key)).startsWith(plain(flags.fingerprint)));
      const [key] = found;
      if (!key || found.length > 1) throw new ServerError('request', `${id} has ${found.length} keys that begin so`);
      await order(flags, id, { kind: 'key-removed', key: { kind: key.kind, public: key.public } });
    });
}

function remove(): Command {
  return ordering('remove', 'a person leaves: no key of theirs signs anything any more, signed by you')
    .argument('<person>', 'who')
    .action((id: string, flags: OrderFlags) => order(flags, id, { kind: 'removed' }));
}

function cosign(): Command {
  return ordering('cosign', 'give the second word for what waits')
    .option(...fingerprintOption)
    .action(async (flags: OrderFlags & { fingerprint?: string }) => {
      const { waiting } = await new Client(flags.data).get<People>('/v1/people');
      if (!waiting) throw new ServerError('request', 'nothing waits for a second person');
      if (!flags.json) process.stdout.write(`${inWords(waiting)}, ordered by ${waiting.by}\n`);
      const { change } = waiting;
      if (change.kind === 'enrolled' || change.kind === 'key-added') await compare(change.key, flags.fingerprint);
      await order(flags, waiting.person, change);
    });
}

function erase(): Command {
  return command('erase', 'forget how a person is called and signs in; the log only ever had an opaque id')
    .argument('<person>', 'who')
    .action(async (id: string, flags: CommonOptions) => {
      await new Client(flags.data).post(`/v1/people/${id}/erase`);
      print({ erased: id }, flags.json, () => `Forgot how ${id} is called and signs in.`);
    });
}

function oidc(): Command {
  return command('oidc', 'let people sign in at an OpenID provider, too')
    .requiredOption('--issuer <url>', 'exactly as the provider says it of itself')
    .requiredOption('--client-id <id>', 'what this server is called there')
    .requiredOption('--client-secret-file <file>', 'where the secret is kept; it is not copied', (file) =>
      resolve(file),
    )
    .action(async (flags: CommonOptions & { issuer: string; clientId: string; clientSecretFile: string }) => {
      const { issuer, clientId, clientSecretFile } = flags;
      const set = await new Client(flags.data).post('/v1/people/oidc', {
        oidc: { issuer, clientId, clientSecretFile },
      });
      print(
        set,
        flags.json,
        () => `People sign in at ${bold(issuer)}, too. Redirect URI there: …/people/oidc/callback`,
      );
    });
}

function link(): Command {
  return command('link', "a sign-in at the provider is this person's")
    .argument('<person>', 'who')
    .requiredOption('--code <code>', 'what they were shown when they signed in there')
    .action(async (id: string, flags: CommonOptions & { code: string }) => {
      await new Client(flags.data).post(`/v1/people/${id}/link`, { code: flags.code });
      print({ linked: id }, flags.json, () => `Linked to ${bold(id)}.`);
    });
}

/** Nobody signs for a key that he has not compared. @throws ServerError request (another key, or nobody to ask) */
async function compare(key: PersonKey, told: string | undefined): Promise<void> {
  const fingerprint = fingerprintOf(key); // of what is signed, whatever the server calls it
  if (told !== undefined) {
    if (plain(told) === plain(fingerprint)) return;
    throw new ServerError('request', `another key was handed in: ${fingerprint}; nothing was signed`);
  }
  if (!process.stdin.isTTY)
    throw new ServerError(
      'request',
      'there is no terminal to ask at: give --fingerprint, as the person told it to you',
    );
  const same = await ask({ message: `Did they read out ${bold(fingerprint)}?`, initialValue: false });
  if (isCancel(same) || !same) throw new ServerError('request', 'nothing was signed');
}

function ordering(name: string, description: string): Command {
  return command(name, description)
    .option('--key <file>', 'your sealed key', join(defaultKeyFolder(), 'person.key.json'))
    .option('--ssh-agent', 'sign with a key in your ssh-agent instead', false)
    .option('--passphrase-file <file>', 'read the passphrase from a file');
}

/** Signs a change and hands it in. */
async function order(flags: OrderFlags, person: string, change: PeopleChange): Promise<void> {
  const client = new Client(flags.data);
  const signer = await signerOf(client, flags);
  const { id: by } = await personOf(client, signer);
  const { origin, after } = await client.get<People>('/v1/people');
  const bytes = encodePeopleWord({ origin, after, person, change, by, time: new Date().toISOString() });
  const word = await signer.word('deed-people-v1', bytes);
  const done = await client.post<{ state: 'done' | 'waiting'; alone?: boolean }>('/v1/people/orders', { word });
  const what = inWords({ person, change });
  print({ person, change: change.kind, ...done }, flags.json, () => {
    if (done.state === 'waiting') return yellow(`${what}: waits for a second person, who types: deed person cosign`);
    return green(`${what}.${done.alone ? ' You did it alone: there is no second operator, and the log says so.' : ''}`);
  });
}

function inWords({ person, change }: { readonly person: string; readonly change: PeopleChange }): string {
  switch (change.kind) {
    case 'enrolled':
      return `${person} enrolled as ${change.roles.join(', ')}, key ${fingerprintOf(change.key)}`;
    case 'roles':
      return `${person} as ${change.roles.join(', ')}`;
    case 'removed':
      return `${person} removed`;
    case 'key-added':
      return `a key of ${person} added, ${fingerprintOf(change.key)}`;
    case 'key-removed':
      return `a key of ${person} removed`;
  }
}

async function sealed(flags: { readonly newKey?: string; readonly passphraseFile?: string }): Promise<PersonKey> {
  if (flags.newKey === undefined)
    throw new ServerError('request', 'say which key: --new-key FILE or --ssh-public-key FILE');
  const key = newP256();
  await writeSealedKey(flags.newKey, key, await passphrase('A passphrase for your new key', flags, true));
  return { kind: 'es256', public: toBase64(spkiOf(key)) };
}

function fromSsh(file: string): PersonKey {
  return { kind: 'sshsig', public: toBase64(readSshPublicKeyLine(readFileSync(file, 'utf8'))) };
}

function plain(fingerprint: string): string {
  return fingerprint.replaceAll(/[\s:]/g, '').toLowerCase();
}
