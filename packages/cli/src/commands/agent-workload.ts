import { sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { digestOfDefinition, toBase64, workloadChallenge } from '@deed/evidence';
import { makeWorkloadProof, newP256, ServerError, spkiOf, systemClock } from '@deed/server';
import type { Command } from 'commander';
import { type AgentKey, readAgentKey, replaceAgentKey, writeAgentKey } from '../agent-key.ts';
import { problemOf } from '../client.ts';
import { command } from '../options.ts';
import { bold, print } from '../output.ts';
import { socketOf } from '../ssh-agent-key.ts';

const timeoutMs = 30_000;
/** A token that ends sooner is renewed first. */
const soonMs = 5 * 60_000;

interface Identity {
  readonly agent: string;
  readonly kind: string;
  readonly name: string;
  readonly spiffe: string;
  readonly expires: string;
}
type Issued = Identity & { readonly origin: string; readonly wit: string };

export interface WorkloadFlags {
  readonly workloadToken: string;
  readonly key?: string | undefined;
  readonly definition?: string | undefined;
  readonly url?: string | undefined;
  readonly json: boolean;
}

/** Enrols a fresh key, from anywhere, by the token that this workload's platform gave it. */
export async function enrolWorkload({ workloadToken, key: file, definition, url, json }: WorkloadFlags): Promise<void> {
  if (file === undefined || url === undefined)
    throw new ServerError('request', 'say where the new key goes and whom to ask: --key FILE --url URL');
  if (socketOf(file) !== undefined) throw new ServerError('request', 'a workload enrols with a key in a file');
  const base = url.replace(/\/+$/, '');
  const token = readFileSync(workloadToken, 'utf8').trim();
  const declared = definitionOf(definition);
  const { origin } = await ask<{ origin: string }>('GET', `${base}/v1/enrol`);
  const key = newP256();
  const spki = spkiOf(key);
  const proof = sign('sha256', workloadChallenge(origin, token, declared.sha256, spki), key);
  const issued = await ask<Issued>('POST', `${base}/v1/enrol`, {
    ...{ token, spki: toBase64(spki), proof: toBase64(proof), definition: declared.sent },
  });
  const { agent, spiffe, wit, expires } = issued;
  writeAgentKey(file, { agent, spiffe, origin, key, wit, url: base });
  print({ ...issued, key: file }, json, () =>
    [`Enrolled ${bold(spiffe)} (${agent}); its key is in ${file}`, `  identity token until ${expires}`].join('\n'),
  );
}

export function whoami(): Command {
  return command('whoami', 'who the server takes the holder of this key for')
    .requiredOption('--key <file>', "the agent's key")
    .option('--url <url>', 'where the server is, if not where the key was enrolled')
    .action(async (flags: { readonly key: string; readonly url?: string; readonly json: boolean }) => {
      const held = readAgentKey(flags.key);
      const base = (flags.url ?? held.url)?.replace(/\/+$/, '');
      if (base === undefined) throw new ServerError('request', 'say where the server is: --url URL');
      let known = await identify(held, base, 'GET', '/v1/whoami');
      if (Date.parse(known.expires) - Date.now() < soonMs) {
        const { wit } = await identify<Issued>(held, base, 'POST', '/v1/wit');
        replaceAgentKey(flags.key, { ...held, wit });
        known = await identify({ ...held, wit }, base, 'GET', '/v1/whoami');
      }
      print(known, flags.json, () =>
        [`${bold(known.spiffe)} (${known.agent}, ${known.kind})`, `  identity token until ${known.expires}`].join('\n'),
      );
    });
}

/** A request in which the agent says who it is, with a proof for exactly this one. */
async function identify<T = Identity>(
  { key, wit }: AgentKey,
  base: string,
  method: 'GET' | 'POST',
  path: string,
): Promise<T> {
  if (wit === undefined) throw new ServerError('request', 'this key file has no identity token: enrol again');
  const url = `${base}${path}`;
  const proof = await makeWorkloadProof(key, { wit, url }, systemClock);
  return ask<T>(method, url, undefined, { 'workload-identity-token': wit, 'workload-proof-token': proof });
}

/** A file with the definition, or only its digest. */
export function definitionOf(given: string | undefined) {
  if (given === undefined) return { sha256: null, sent: null };
  if (/^[0-9a-f]{64}$/.test(given)) return { sha256: given, sent: { sha256: given } };
  const bytes = readFileSync(given);
  return { sha256: digestOfDefinition(bytes), sent: { text: bytes.toString('utf8') } };
}

async function ask<T>(method: string, url: string, body?: unknown, headers: Record<string, string> = {}): Promise<T> {
  let answer: Response;
  try {
    answer = await fetch(url, {
      method,
      headers: body === undefined ? headers : { ...headers, 'content-type': 'application/json' },
      redirect: 'error',
      signal: AbortSignal.timeout(timeoutMs),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  } catch (cause) {
    throw new ServerError('no-server', `nobody answers at ${url}`, { cause });
  }
  const bytes = Buffer.from(await answer.arrayBuffer());
  if (!answer.ok) throw problemOf({ status: answer.status, body: bytes });
  return JSON.parse(bytes.toString()) as T;
}
