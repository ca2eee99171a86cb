import { readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { DeedSdkError, readAgentKey, TaskTokens } from '@deed/sdk';
import { ServerError } from '@deed/server';
import type { Command } from 'commander';
import { type CommonOptions, command } from '../options.ts';
import { print } from '../output.ts';

interface ProofFlags extends CommonOptions {
  readonly key: string;
  readonly url: string;
  readonly get?: string;
}

/** For programs that have no library of ours: what one request shows, as `curl -H @-` reads it. */
export function proofCommand(): Command {
  return command('proof', 'print the headers of one request to the HTTP API, for curl -H @- (agent)')
    .argument('<task>', 'its id')
    .argument('[body]', 'file with the exact body, or - for the standard input')
    .requiredOption('--key <file>', 'the key of the agent')
    .requiredOption('--url <url>', 'where the server listens')
    .option('--get <path>', 'for a GET, which has no body: its path')
    .action(async (task: string, body: string | undefined, { key, url, get, json }: ProofFlags) => {
      if ((body === undefined) === (get === undefined))
        throw new ServerError('request', 'say either the file with the body, or --get PATH');
      const message = get === undefined ? await bodyOf(body ?? '-') : `GET ${get.split('?')[0]}`;
      const headers = await headersOf(url.replace(/\/$/, ''), key, task, message);
      const all = { ...headers, ...(get === undefined ? { 'content-type': 'application/json' } : {}) };
      print(all, json, () =>
        Object.entries(all)
          .map((header) => header.join(': '))
          .join('\n'),
      );
    });
}

async function bodyOf(file: string): Promise<string | Uint8Array> {
  return file === '-' ? text(process.stdin) : readFileSync(file);
}

async function headersOf(url: string, key: string, task: string, message: string | Uint8Array) {
  try {
    return await new TaskTokens(url, readAgentKey(key), task).headers(message);
  } catch (error) {
    if (error instanceof DeedSdkError) throw new ServerError('request', error.message, { cause: error });
    throw error;
  }
}
