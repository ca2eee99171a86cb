import type { Command } from 'commander';
import { Client } from '../client.ts';
import { type CommonOptions, command } from '../options.ts';
import { bold, print, table } from '../output.ts';

interface KeyView {
  readonly id: string;
  readonly server: string;
  readonly created: string;
}

interface MadeKey extends KeyView {
  readonly key: string;
  /** Null: nothing is served to the network. */
  readonly url: string | null;
}

/** `deed mcp key`: a client's way to a tool server that has an address. */
export function keyCommand(): Command {
  return command(
    'key',
    'make a key by which a client reaches a tool server that has an address, as nobody in particular',
  )
    .argument('<server>', 'its name: see deed tool list')
    .action(async (server: string, flags: CommonOptions) => {
      const made = await new Client(flags.data).post<MadeKey>('/v1/mcp-keys', { server });
      print(made, flags.json, () => told(made));
    });
}

export function keysCommand(): Command {
  return command('keys', 'the keys to tool servers that are out').action(async (flags: CommonOptions) => {
    const { keys } = await new Client(flags.data).get<{ keys: KeyView[] }>('/v1/mcp-keys');
    print(keys, flags.json, () =>
      table(
        ['key', 'server', 'made'],
        keys.map(({ id, server, created }) => [id, server, created]),
      ),
    );
  });
}

export function unkeyCommand(): Command {
  return command('unkey', 'take a key back: nothing more comes in with it')
    .argument('<key>', 'its id: see deed mcp keys')
    .action(async (id: string, flags: CommonOptions) => {
      const taken = await new Client(flags.data).post<object>(`/v1/mcp-keys/${id}/remove`, {});
      print(taken, flags.json, () => `Taken back: ${id}`);
    });
}

function told({ id, server, key, url }: MadeKey): string {
  const address = url ?? `(start deed up with --listen)/mcp/${server}`;
  return [
    `Key ${bold(id)} to ${bold(server)}. It is shown this once:`,
    '',
    `  address  ${address}`,
    `  header   Authorization: Bearer ${key}`,
    '',
    'In Claude Code:',
    `  claude mcp add --transport http ${server} ${address} --header "Authorization: Bearer ${key}"`,
    '',
    `To take it back: deed mcp unkey ${id}`,
  ].join('\n');
}
