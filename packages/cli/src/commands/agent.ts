import { sign } from 'node:crypto';
import { toBase64 } from '@deed/evidence';
import { enrolmentChallenge, newP256, ServerError, spkiOf } from '@deed/server';
import { Command } from 'commander';
import { writeAgentKey } from '../agent-key.ts';
import { Client } from '../client.ts';
import { type CommonOptions, command } from '../options.ts';
import { bold, print, table } from '../output.ts';

interface AgentView {
  readonly id: string;
  readonly name: string;
  readonly spiffe: string;
  readonly revoked: boolean;
}

export function agentCommand(): Command {
  return new Command('agent')
    .description('enrol, list and revoke agents')
    .addCommand(enroll())
    .addCommand(list())
    .addCommand(revoke());
}

function enroll(): Command {
  return command('enroll', 'invite an agent (operator), or redeem an invitation with a fresh key (agent)')
    .argument('[name]', 'operator: the name of the agent; prints a one-time code')
    .option('--definition <sha256>', "operator: digest of the agent's declared configuration")
    .option('--code <code>', 'agent: the one-time code')
    .option('--key <file>', 'agent: where the new key goes')
    .action(
      async (name: string | undefined, flags: CommonOptions & { definition?: string; code?: string; key?: string }) => {
        const client = new Client(flags.data);
        if (flags.code !== undefined) return redeem(client, flags.code, flags.key, flags.json);
        if (name === undefined)
          throw new ServerError('request', 'give a name to invite an agent, or --code and --key to enrol one');
        const body = { name, ...(flags.definition === undefined ? {} : { definition: flags.definition }) };
        const invitation = await client.post<{ code: string; expiresMs: number }>('/v1/agents/invite', body);
        print({ name, ...invitation }, flags.json, () =>
          [
            `One-time code for ${bold(name)}, good until ${new Date(invitation.expiresMs).toISOString()}:`,
            `  ${invitation.code}`,
            `Where the agent runs, type: deed agent enroll --code ${invitation.code} --key agent.key.json`,
          ].join('\n'),
        );
      },
    );
}

async function redeem(client: Client, code: string, file: string | undefined, json: boolean): Promise<void> {
  if (file === undefined) throw new ServerError('request', 'say where the new key goes: --key FILE');
  const { origin } = await client.get<{ origin: string }>('/v1/status');
  const key = newP256();
  const spki = spkiOf(key);
  const proof = sign('sha256', enrolmentChallenge(origin, code, spki), key);
  const agent = await client.post<AgentView>('/v1/agents/redeem', {
    code,
    spki: toBase64(spki),
    proof: toBase64(proof),
  });
  writeAgentKey(file, { agent: agent.id, spiffe: agent.spiffe, origin, key });
  print({ ...agent, key: file }, json, () => `Enrolled ${bold(agent.spiffe)} (${agent.id}); its key is in ${file}`);
}

function list(): Command {
  return command('list', 'the enrolled agents').action(async (flags: CommonOptions) => {
    const { agents } = await new Client(flags.data).get<{ agents: AgentView[] }>('/v1/agents');
    print(agents, flags.json, () =>
      agents.length === 0
        ? 'No agent is enrolled.'
        : table(
            ['id', 'name', 'identity', 'state'],
            agents.map(({ id, name, spiffe, revoked }) => [id, name, spiffe, revoked ? 'revoked' : 'enrolled']),
          ),
    );
  });
}

function revoke(): Command {
  return command('revoke', 'nothing that this agent signs is admitted any more')
    .argument('<id>', 'the agent')
    .requiredOption('--reason <text>', 'why; it stays in the log for ever, so name nobody in it')
    .action(async (id: string, flags: CommonOptions & { reason: string }) => {
      await new Client(flags.data).post(`/v1/agents/${id}/revoke`, { reason: flags.reason });
      print({ revoked: id }, flags.json, () => `Revoked ${id}.`);
    });
}
