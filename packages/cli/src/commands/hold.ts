import { join } from 'node:path';
import { encodeHold, type HoldWord, newId } from '@deed/evidence';
import { ServerError } from '@deed/server';
import { Command } from 'commander';
import { Client } from '../client.ts';
import { type CommonOptions, command } from '../options.ts';
import { bold, print, table } from '../output.ts';
import { personOf, type SignerFlags, signerOf } from '../person.ts';
import { visible } from '../visible.ts';
import { defaultKeyFolder } from './init.ts';

interface Hold {
  readonly id: string;
  readonly task: string;
  readonly reason: string;
  readonly person: string;
  readonly placed: string;
}

interface HoldFlags extends CommonOptions, SignerFlags {
  readonly reason: string;
}

export function holdCommand(): Command {
  return new Command('hold')
    .description('protect tasks from erasure and retention, signed by you')
    .addCommand(add())
    .addCommand(release())
    .addCommand(list());
}

function add(): Command {
  return signed('add', 'protect a task: what is kept of it is not erased until the hold is released')
    .argument('<task>', 'open or closed')
    .action(async (task: string, flags: HoldFlags) => {
      const hold = await say(flags, { act: 'placed', task, hold: newId('hold', Date.now()) });
      print(hold, flags.json, () => `${bold(hold.id)} protects ${task}.`);
    });
}

function release(): Command {
  return signed('release', 'end a hold, or the one hold of a task')
    .argument('<hold>', 'the hold, or the task')
    .action(async (what: string, flags: HoldFlags) => {
      const { holds } = await new Client(flags.data).get<{ holds: Hold[] }>('/v1/holds');
      const found = holds.filter(({ id, task }) => id === what || task === what);
      const [hold] = found;
      if (!hold) throw new ServerError('request', `no hold ${what} is in force; see: deed hold list`);
      if (found.length > 1)
        throw new ServerError(
          'request',
          `several holds protect ${what}: ${found.map(({ id }) => id).join(', ')}; name one`,
        );
      const released = await say(flags, { act: 'released', task: hold.task, hold: hold.id });
      print(released, flags.json, () => `Released ${released.id} over ${released.task}.`);
    });
}

function list(): Command {
  return command('list', 'the holds in force').action(async (flags: CommonOptions) => {
    const { holds } = await new Client(flags.data).get<{ holds: Hold[] }>('/v1/holds');
    print(holds, flags.json, () =>
      holds.length === 0
        ? 'No hold is in force.'
        : table(
            ['hold', 'task', 'since', 'by', 'reason'],
            holds.map(({ id, task, placed, person, reason }) => [id, task, placed, person, visible(reason)]),
          ),
    );
  });
}

function signed(name: string, description: string): Command {
  return command(name, description)
    .requiredOption('--reason <text>', 'why; it stays in the log for ever, so name nobody in it')
    .option('--key <file>', 'your sealed key', join(defaultKeyFolder(), 'person.key.json'))
    .option('--ssh-agent', 'sign with a key in your ssh-agent instead', false)
    .option('--passphrase-file <file>', 'read the passphrase from a file');
}

async function say(flags: HoldFlags, what: Pick<HoldWord, 'act' | 'task' | 'hold'>): Promise<Hold> {
  const client = new Client(flags.data);
  const signer = await signerOf(client, flags);
  const { origin } = await client.get<{ origin: string }>('/v1/status');
  const { id: person } = await personOf(client, signer);
  const { reason } = flags;
  const bytes = encodeHold({ ...what, origin, reason, person, time: new Date().toISOString() });
  return client.post('/v1/holds', { word: await signer.word('deed-hold-v1', bytes) });
}
