import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { ServerError, type TimestampsView } from '@deed/server';
import { Command } from 'commander';
import { Client } from '../client.ts';
import { type CommonOptions, command } from '../options.ts';
import { bold, print, yellow } from '../output.ts';

export function tsaCommand(): Command {
  return new Command('tsa')
    .description('the timestamp authority (RFC 3161) that stamps checkpoints')
    .addCommand(set())
    .addCommand(show())
    .addCommand(off());
}

interface SetFlags extends CommonOptions {
  readonly certificate: string;
  readonly every: string;
}

function set(): Command {
  return command('set', 'name the authority; it is tried at once, and the trust file asks for its stamps from now on')
    .argument('<url>', 'where it answers, http or https')
    .requiredOption('--certificate <file>', 'its certificate, PEM or DER: no other one ever counts')
    .option('--every <seconds>', 'stamp the newest checkpoint when nothing was stamped for so long', '3600')
    .action(async (url: string, flags: SetFlags) => {
      const view = await new Client(flags.data).post<TimestampsView>('/v1/timestamps', {
        url,
        certificate: readCertificate(flags.certificate),
        everySeconds: Number(flags.every),
      });
      print(
        view,
        flags.json,
        () => `${text(view)}\n\nThe trust file has a new tsa line. Hand it out again: deed trust show`,
      );
    });
}

function show(): Command {
  return command('show', 'the authority, its newest stamp and what failed').action(async (flags: CommonOptions) => {
    const { timestamps } = await new Client(flags.data).get<{ timestamps: TimestampsView | null }>('/v1/timestamps');
    print({ timestamps }, flags.json, () =>
      timestamps ? text(timestamps) : 'No timestamp authority. Name one: deed log tsa set URL --certificate FILE',
    );
  });
}

function off(): Command {
  return command('off', 'stamp no more, and take the tsa lines out of the trust file').action(
    async (flags: CommonOptions) => {
      const answer = await new Client(flags.data).post<object>('/v1/timestamps/off');
      print(answer, flags.json, () => 'No more timestamps. The trust file has changed: deed trust show');
    },
  );
}

function readCertificate(file: string): string {
  const bytes = readFileSync(file);
  try {
    return new X509Certificate(bytes).raw.toString('base64');
  } catch (cause) {
    throw new ServerError('request', `${file} is not a certificate in PEM or DER`, { cause });
  }
}

function text({ url, everySeconds, certificate, newest, waiting, lastFailure }: TimestampsView): string {
  const lines = [
    `${bold('Timestamps')} by ${url}`,
    `  certificate  ${certificate}`,
    `  every        ${everySeconds} s, and each checkpoint that somebody waited for`,
    `  newest       ${newest ? `size ${newest.size} at ${newest.time}` : 'none yet'}`,
  ];
  if (waiting > 0) lines.push(`  waiting      ${waiting}`);
  if (lastFailure) lines.push(yellow(`  failed       ${lastFailure.time}: ${lastFailure.message}`));
  return lines.join('\n');
}
