import { sign } from 'node:crypto';
import { derFromP1363, toBase64 } from '@deed/evidence';
import { enrolmentChallenge, newP256, type Revocation, ServerError, spkiOf } from '@deed/server';
import { Command } from 'commander';
import { writeAgentKey } from '../agent-key.ts';
import { Client } from '../client.ts';
import { type CommonOptions, command } from '../options.ts';
import { bold, counted, green, print, red, table } from '../output.ts';
import { freshKeyIn, socketOf } from '../ssh-agent-key.ts';
import { definitionOf, enrolWorkload, whoami } from './agent-workload.ts';

interface AgentView {
  readonly id: string;
  readonly kind: string;
  readonly name: string;
  readonly spiffe: string;
  readonly how: string;
  readonly definition: string | null;
  readonly revoked: boolean;
}

export function agentCommand(): Command {
  return new Command('agent')
    .description('enrol, list and revoke agents')
    .addCommand(enroll())
    .addCommand(list())
    .addCommand(whoami())
    .addCommand(revoke());
}

interface EnrollFlags extends CommonOptions {
  readonly definition?: string;
  readonly owner?: string;
  readonly code?: string;
  readonly key?: string;
  readonly workloadToken?: string;
  readonly url?: string;
}

function enroll(): Command {
  return command('enroll', 'invite an agent (operator), or enrol a fresh key: by an invitation or by a workload token')
    .argument('[name]', 'operator: the name of the agent; prints a one-time code')
    .option('--definition <file>', "the agent's definition: a file, or its SHA-256")
    .option('--owner <person>', 'operator: the person who answers for it, and so approves nothing that it does')
    .option('--code <code>', 'agent: the one-time code')
    .option('--workload-token <file>', "agent: the token that this workload's platform gave it")
    .option('--url <url>', 'agent, with a workload token: where the server is')
    .option('--key <file>', 'agent: where the new key goes; ssh-agent takes a P-256 key that an ssh-agent holds')
    .action(async (name: string | undefined, flags: EnrollFlags) => {
      const { workloadToken } = flags;
      if (workloadToken !== undefined) return enrolWorkload({ ...flags, workloadToken });
      const client = new Client(flags.data);
      if (flags.code !== undefined) return redeem(client, flags.code, flags.key, flags.json);
      if (name === undefined)
        throw new ServerError('request', 'give a name to invite an agent, or --code or --workload-token to enrol one');
      const { sha256 } = definitionOf(flags.definition);
      const { owner } = flags;
      const body = {
        name,
        ...(sha256 === null ? {} : { definition: sha256 }),
        ...(owner === undefined ? {} : { owner }),
      };
      const invitation = await client.post<{ code: string; expiresMs: number }>('/v1/agents/invite', body);
      print({ name, ...invitation }, flags.json, () =>
        [
          `One-time code for ${bold(name)}, good until ${new Date(invitation.expiresMs).toISOString()}:`,
          `  ${invitation.code}`,
          `Where the agent runs, type: deed agent enroll --code ${invitation.code} --key agent.key.json`,
        ].join('\n'),
      );
    });
}

async function redeem(client: Client, code: string, file: string | undefined, json: boolean): Promise<void> {
  if (file === undefined) throw new ServerError('request', 'say where the new key goes: --key FILE');
  const { origin } = await client.get<{ origin: string }>('/v1/status');
  const { key, spki, signed } = await newKey(client, file);
  const proof = await signed(enrolmentChallenge(origin, code, spki));
  const { wit, ...agent } = await client.post<AgentView & { wit: string }>('/v1/agents/redeem', {
    code,
    spki: toBase64(spki),
    proof: toBase64(proof),
  });
  if (key) writeAgentKey(file, { agent: agent.id, spiffe: agent.spiffe, origin, key, wit });
  print({ ...agent, key: file }, json, () => `Enrolled ${bold(agent.spiffe)} (${agent.id}); its key is in ${file}`);
}

/** A key to enrol, and its signatures in DER: a fresh one for a file, or null for one that stays in an ssh-agent. */
async function newKey(client: Client, file: string) {
  const socket = socketOf(file);
  if (socket === undefined) {
    const key = newP256();
    return { key, spki: spkiOf(key), signed: async (bytes: Uint8Array) => sign('sha256', bytes, key) };
  }
  const { spki, sign: signed } = await freshKeyIn(socket, client);
  return { key: null, spki, signed: async (bytes: Uint8Array) => derFromP1363(await signed(bytes)) };
}

function list(): Command {
  return command('list', 'the enrolled agents').action(async (flags: CommonOptions) => {
    const { agents } = await new Client(flags.data).get<{ agents: AgentView[] }>('/v1/agents');
    print(agents, flags.json, () =>
      agents.length === 0
        ? 'No agent is enrolled.'
        : table(
            ['id', 'name', 'kind', 'definition', 'enrolled by', 'state'],
            agents.map(({ id, name, kind, definition, how, revoked }) => [
              ...[id, name, kind, definition?.slice(0, 12) ?? '-', how, revoked ? 'revoked' : 'enrolled'],
            ]),
          ),
    );
  });
}

function revoke(): Command {
  return command('revoke', 'ends every key, token, grant and brokered session of an agent, and tries each again')
    .argument('<agent>', 'its name: all instances, and none enrols under it; or the id of one instance')
    .requiredOption('--reason <text>', 'why; it stays in the log for ever, so name nobody in it')
    .action(async (agent: string, flags: CommonOptions & { reason: string }) => {
      const path = `/v1/agents/${encodeURIComponent(agent)}/revoke`;
      const revocation = await new Client(flags.data).post<Revocation>(path, { reason: flags.reason });
      print(revocation, flags.json, () => told(agent, revocation));
      if (revocation.alive.length > 0) process.exitCode = 1;
    });
}

function told(agent: string, { agents, tasks, grants, credentials, tried, alive }: Revocation): string {
  const ended = [
    counted(agents.length, 'instance'),
    counted(tasks.length, 'open task'),
    counted(grants.length, 'grant'),
    counted(credentials.length, 'credential'),
  ].join(', ');
  const rows = tried.map(({ what, of, refused, because }) => [
    what,
    short(of),
    refused ?? 'STILL WORKS',
    short(because ?? '-'),
  ]);
  return [
    `Revoked ${bold(agent)}: ${ended}.`,
    '',
    'Tried again by the server itself:',
    table(['what', 'of', 'refused', 'by statement'], rows),
    '',
    alive.length === 0
      ? green('Nothing of it works any more.')
      : red(`Still alive: ${alive.join('; ')}. It is tried on; ask again.`),
  ].join('\n');
}

/** A digest as far as it tells two apart; an id whole. */
function short(text: string): string {
  return /^[0-9a-f]{64}$/.test(text) ? text.slice(0, 16) : text;
}
