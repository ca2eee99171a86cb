import { realpathSync } from 'node:fs';
import { defaultScrub, type ScrubOptions, ServerError, serve } from '@deed/server';
import type { Command } from 'commander';
import { type CommonOptions, command } from '../options.ts';
import { bold } from '../output.ts';
import { localWitnessCommand, untilEnded } from '../process.ts';
import { keyPassphraseOf, keyPassphraseOption } from '../secrets.ts';

interface UpFlags extends CommonOptions {
  readonly listen?: string;
  readonly withParent: boolean;
  readonly keyPassphraseFile?: string;
  readonly scrubHours: string;
}

export function upCommand(): Command {
  return command('up', 'serve a data folder: the one process that writes')
    .option('--listen <address>', 'also serve the log and the public API on TCP, for instance 127.0.0.1:8080')
    .option('--scrub-hours <n>', 'hours between background checks of the whole folder; 0: none', '24')
    .option('--with-parent', 'end when the standard input closes', false)
    .option(...keyPassphraseOption)
    .action(async (flags: UpFlags) => {
      const serving = await serve({
        dir: folder(flags.data),
        keyPassphrase: await keyPassphraseOf(flags),
        witnessCommand: localWitnessCommand,
        scrub: scrubEvery(flags.scrubHours),
        ...(flags.listen === undefined ? {} : { listen: parseAddress(flags.listen) }),
      });
      const ended = untilEnded(flags.withParent); // before it says that it is ready
      const { socket, url, deployment } = serving;
      const ready = { ready: true, data: flags.data, origin: deployment.ledger.origin, socket, url };
      if (flags.json) process.stdout.write(`${JSON.stringify(ready)}\n`);
      else {
        process.stdout.write(
          `${bold('Serving')} ${ready.origin}\n  data    ${flags.data}\n  socket  ${socket}\n${url ? `  log     ${url}/log/\n` : ''}Stop it with Ctrl-C.\n`,
        );
      }
      await ended;
      await serving.close();
    });
}

function scrubEvery(hours: string): ScrubOptions | null {
  const count = Number(hours);
  if (!/^[0-9]{1,4}(\.[0-9]+)?$/.test(hours))
    throw new ServerError('request', `--scrub-hours wants a number, not ${hours}`);
  return count === 0 ? null : { ...defaultScrub, everyMs: Math.min(count * 3_600_000, 2 ** 31 - 1) };
}

function folder(path: string): string {
  try {
    return realpathSync(path);
  } catch (cause) {
    throw new ServerError('folder', `${path} does not exist; make it with: deed init --data ${path}`, { cause });
  }
}

function parseAddress(text: string): { host: string; port: number } {
  const match = /^(?:\[([0-9a-fA-F:]+)\]|([A-Za-z0-9.-]+)):([0-9]{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  const host = match?.[1] ?? match?.[2];
  if (host === undefined || port > 65_535) throw new ServerError('request', `--listen wants HOST:PORT, not ${text}`);
  return { host, port };
}
