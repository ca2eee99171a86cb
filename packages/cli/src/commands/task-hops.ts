import { readFileSync } from 'node:fs';
import {
  decodeAllow,
  decodeEnvelope,
  parseJwt,
  parseStatement,
  statementDigest,
  toBase64,
  toHex,
  utf8,
} from '@deed/evidence';
import { makeHop, makeHopAccepted, makeHopEnded, ServerError, systemClock } from '@deed/server';
import type { Command } from 'commander';
import { readAgentKey } from '../agent-key.ts';
import { Client } from '../client.ts';
import { type CommonOptions, command } from '../options.ts';
import { bold, print, table } from '../output.ts';
import { TaskTokens } from '../shim.ts';

interface HopView {
  readonly hop: string;
  readonly delegator: string;
  readonly delegate: string;
  readonly ceiling: string;
  readonly budget: number;
  readonly used: number;
  readonly deadline: string;
  readonly depth: number;
  readonly accepted: string | null;
  readonly ended: string | null;
}

interface DelegateFlags extends CommonOptions {
  readonly key: string;
  readonly to: string;
  readonly allow: string;
  readonly actions: string;
  readonly ceiling: string;
  readonly deadline?: string;
  readonly depth: string;
  readonly hop?: string;
}

export function delegateCommand(): Command {
  return command('delegate', 'pass a part of a task on to another agent (agent)')
    .argument('<task>', 'its id')
    .requiredOption('--key <file>', 'the key of the agent that passes it on')
    .requiredOption('--to <id>', 'the agent that is to act')
    .requiredOption('--allow <file>', 'JSON file with the allowed actions, within its own (docs/formats/token.md)')
    .requiredOption('--actions <n>', 'how many actions may begin')
    .option('--ceiling <tier>', 'observe, record, attest or approve', 'record')
    .option('--deadline <seconds>', 'how long it may last (default: as long as what it is a part of)')
    .option('--depth <n>', 'how many hops may follow', '0')
    .option('--hop <digest>', 'by which hop the agent holds the task, if by several')
    .action(async (task: string, flags: DelegateFlags) => {
      const client = new Client(flags.data);
      const identity = readAgentKey(flags.key);
      const { agents } = await client.get<{ agents: { id: string; jkt: string }[] }>('/v1/agents');
      const delegate = agents.find(({ id }) => id === flags.to);
      if (!delegate) throw new ServerError('not-found', `no agent ${flags.to} is enrolled: see deed agent list`);
      const { token } = await new TaskTokens(client, { ...identity, task, hop: flags.hop }).token();
      const { allow, ...offer } = await makeHop(
        identity,
        token,
        {
          delegate: { agent: delegate.id, jkt: delegate.jkt },
          allow: decodeAllow(readFileSync(flags.allow)),
          ceiling: flags.ceiling as HopTermsCeiling,
          actions: Number(flags.actions),
          deadlineMs:
            flags.deadline === undefined
              ? await deadlineOf(client, task, token)
              : systemClock.now() + Number(flags.deadline) * 1000,
          depth: Number(flags.depth),
        },
        systemClock,
      );
      const { hop } = await client.post<{ hop: string }>(`/v1/tasks/${task}/hops`, {
        ...offer,
        allow: toBase64(allow),
      });
      print({ task, hop }, flags.json, () =>
        [
          `Offered to ${bold(flags.to)}. Where that agent runs, within 10 minutes:`,
          `  deed task accept ${task} --hop ${hop} --key FILE`,
        ].join('\n'),
      );
    });
}

/** Until when the holder of a token may act: its hop's deadline, or its task's. Milliseconds since 1970. */
async function deadlineOf(client: Client, task: string, token: string): Promise<number> {
  const { hop } = parseJwt(token, 'deed-task+jwt').claims;
  const { hops } = await client.get<{ hops: HopView[] }>(`/v1/tasks/${task}/hops`);
  const held = hops.find(({ accepted }) => accepted === hop) ?? (await client.get<HopView>(`/v1/tasks/${task}`));
  return Date.parse(held.deadline);
}

type HopTermsCeiling = Parameters<typeof makeHop>[2]['ceiling'];

export function acceptCommand(): Command {
  return command('accept', 'take on what another agent passed on (agent)')
    .argument('<task>', 'its id')
    .requiredOption('--hop <digest>', 'the hop that was offered')
    .requiredOption('--key <file>', 'the key of the agent that is to act')
    .action(async (task: string, flags: CommonOptions & { key: string; hop: string }) => {
      const { hop } = flags;
      const client = new Client(flags.data);
      const identity = readAgentKey(flags.key);
      const { payload } = decodeEnvelope(utf8(await client.text(`/v1/tasks/${task}/hops/${hop}`)));
      const statement = parseStatement(payload);
      if (toHex(statementDigest(payload)) !== hop || statement.predicate !== 'hop' || statement.series !== task)
        throw new ServerError('request', `the server showed another statement than ${hop}: nothing was signed`);
      const { delegator, ceiling, budget, deadline, depth } = statement.body;
      const word = await makeHopAccepted(identity, { origin: identity.origin, task, hop });
      const { accepted } = await client.post<{ accepted: string }>(`/v1/tasks/${task}/hops/accept`, { word });
      print({ task, hop, accepted }, flags.json, () =>
        [
          `Accepted from ${bold(delegator.spiffe)}: up to tier ${ceiling}, ${budget.actions} actions, until ${deadline}, ${depth} hops further.`,
          `Act with: deed mcp run --task ${task} --key ${flags.key} -- COMMAND`,
        ].join('\n'),
      );
    });
}

export function hopsCommand(): Command {
  return command('hops', 'to whom a task was passed on')
    .argument('<task>', 'its id')
    .action(async (task: string, flags: CommonOptions) => {
      const { hops } = await new Client(flags.data).get<{ hops: HopView[] }>(`/v1/tasks/${task}/hops`);
      print(hops, flags.json, () =>
        hops.length === 0
          ? 'It was passed on to nobody.'
          : table(
              ['hop', 'from', 'to', 'actions', 'state'],
              hops.map((hop) => [hop.hop, hop.delegator, hop.delegate, `${hop.used} of ${hop.budget}`, stateOf(hop)]),
            ),
      );
    });
}

export function withdrawCommand(): Command {
  return command('withdraw', 'take back what was passed on, and all that was passed on below it')
    .argument('<task>', 'its id')
    .requiredOption('--hop <digest>', 'the hop')
    .option('--key <file>', 'the key of the agent that passed it on; without it you do it as the operator')
    .action(async (task: string, flags: CommonOptions & { key?: string; hop: string }) => {
      const { hop } = flags;
      const identity = flags.key === undefined ? null : readAgentKey(flags.key);
      const word = identity && (await makeHopEnded(identity, { origin: identity.origin, task, hop }));
      const { ended } = await new Client(flags.data).post<{ ended: string }>(`/v1/tasks/${task}/hops/end`, {
        hop,
        word,
      });
      print({ task, hop, ended }, flags.json, () => `Taken back: ${hop}`);
    });
}

function stateOf({ accepted, ended }: HopView): string {
  if (ended !== null) return 'ended';
  return accepted === null ? 'offered' : 'accepted';
}
