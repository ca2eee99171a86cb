import { Command } from 'commander';
import { Client } from '../client.ts';
import { type CommonOptions, command } from '../options.ts';
import { bold, print, table } from '../output.ts';

interface ModelView {
  readonly name: string;
  readonly url: string;
  readonly secret?: string;
}

interface KeyView {
  readonly id: string;
  readonly task: string | null;
  readonly created: string;
}

interface MadeKey extends KeyView {
  readonly key: string;
  /** `url` is null where nothing is served to the network. */
  readonly models: readonly { readonly name: string; readonly url: string | null }[];
}

/** `deed model`: the models that agents reach through here, so that receipts name the prompt. */
export function modelCommand(): Command {
  return new Command('model')
    .description('let agents reach models through here, byte for byte, so that receipts name the prompt')
    .addCommand(add())
    .addCommand(list())
    .addCommand(remove())
    .addCommand(key())
    .addCommand(keys())
    .addCommand(unkey());
}

interface AddFlags extends CommonOptions {
  readonly url?: string;
  readonly secret?: string;
  readonly header?: readonly string[];
}

function add(): Command {
  return (
    command('add', 'name a provider: openai, anthropic and gemini are known, any other needs its --url')
      .argument('<name>', 'what it is called here')
      .option('--url <url>', 'what stands before each path: https, except on this machine')
      .option('--secret <name>', "a static secret (deed secret add) to send instead of the client's credential")
      // biome-ignore lint/suspicious/noTemplateCurlyInString: this is how it is typed
      .option('--header <header...>', "how the secret is sent, for instance 'x-api-key: ${deed:ANTHROPIC_API_KEY}'")
      .action(async (name: string, flags: AddFlags) => {
        const made = await new Client(flags.data).post<ModelView>('/v1/models', {
          name,
          ...(flags.url === undefined ? {} : { url: flags.url }),
          ...(flags.secret === undefined ? {} : { secret: flags.secret }),
          ...(flags.header === undefined ? {} : { headers: Object.fromEntries(flags.header.map(headerOf)) }),
        });
        print(made, flags.json, () => `${bold(name)} is at ${made.url}. Give an agent a key: deed model key --task ID`);
      })
  );
}

function headerOf(text: string): readonly [string, string] {
  const at = text.indexOf(':');
  return [text.slice(0, Math.max(0, at)).trim(), text.slice(at + 1).trim()];
}

function list(): Command {
  return command('list', 'the providers that are reached through here').action(async (flags: CommonOptions) => {
    const { models } = await new Client(flags.data).get<{ models: ModelView[] }>('/v1/models');
    print(models, flags.json, () =>
      table(
        ['model', 'credential', 'url'],
        models.map(({ name, url, secret }) => [name, secret ?? "the client's", url]),
      ),
    );
  });
}

function remove(): Command {
  return command('remove', 'no longer reach it through here')
    .argument('<name>', 'its name: see deed model list')
    .action(async (name: string, flags: CommonOptions) => {
      const said = await new Client(flags.data).post<object>(`/v1/models/${name}/remove`, {});
      print(said, flags.json, () => `Removed ${bold(name)}`);
    });
}

function key(): Command {
  return command('key', "make a key by which an agent's client reaches models; it ends with its task")
    .option('--task <id>', 'the task whose prompts these are; without it: sessions of nobody in particular')
    .action(async (flags: CommonOptions & { readonly task?: string }) => {
      const asked = flags.task === undefined ? {} : { task: flags.task };
      const made = await new Client(flags.data).post<MadeKey>('/v1/model-keys', asked);
      print(made, flags.json, () => told(made));
    });
}

function keys(): Command {
  return command('keys', 'the keys to models that are out').action(async (flags: CommonOptions) => {
    const { keys: out } = await new Client(flags.data).get<{ keys: KeyView[] }>('/v1/model-keys');
    print(out, flags.json, () =>
      table(
        ['key', 'task', 'made'],
        out.map(({ id, task, created }) => [id, task ?? '-', created]),
      ),
    );
  });
}

function unkey(): Command {
  return command('unkey', 'take a key back: nothing more comes in with it')
    .argument('<key>', 'its id: see deed model keys')
    .action(async (id: string, flags: CommonOptions) => {
      const taken = await new Client(flags.data).post<object>(`/v1/model-keys/${id}/remove`, {});
      print(taken, flags.json, () => `Taken back: ${id}`);
    });
}

/** The variables by which the SDKs of known providers are told another address. */
const variables: Readonly<Record<string, readonly [name: string, path: string]>> = {
  anthropic: ['ANTHROPIC_BASE_URL', ''],
  openai: ['OPENAI_BASE_URL', '/v1'],
  gemini: ['GOOGLE_GEMINI_BASE_URL', ''],
};

function told({ id, task, key: text, models }: MadeKey): string {
  const lines = models.map(({ name, url }) => {
    const address = url ?? `(start deed up with --listen)/model/${text}/${name}`;
    const [variable, path] = variables[name] ?? [name, ''];
    return `  ${variable}=${address}${path}`;
  });
  return [
    `Key ${bold(id)} to models, for ${task === null ? 'sessions of nobody in particular' : bold(task)}. It is shown this once:`,
    '',
    ...(lines.length > 0 ? lines : ['  no provider is registered yet: deed model add anthropic']),
    '',
    `To take it back: deed model unkey ${id}`,
  ].join('\n');
}
