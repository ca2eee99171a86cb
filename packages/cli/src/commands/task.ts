import { readFileSync, writeFileSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { parseStrictJson, sha256, toHex } from '@deed/evidence';
import { Command } from 'commander';
import { Client } from '../client.ts';
import { type CommonOptions, command } from '../options.ts';
import { bold, print, table } from '../output.ts';
import { eraseCommand } from './task-erase.ts';
import { acceptCommand, delegateCommand, hopsCommand, withdrawCommand } from './task-hops.ts';
import { proofCommand } from './task-proof.ts';

interface TaskView {
  readonly task: string;
  readonly state: string;
  readonly objective: string;
  readonly agent: string | null;
  readonly ceiling: string;
  readonly budget: number;
  readonly used: number;
  readonly deadline: string;
  readonly depth: number;
  readonly holds: readonly string[];
  /** When its agent asked for it to be closed. */
  readonly asked: string | null;
}

interface OpenFlags extends CommonOptions {
  readonly agent: string;
  readonly allow: string;
  readonly ceiling?: string;
  readonly budget?: string;
  readonly deadline?: string;
  readonly depth?: string;
  readonly for: string;
}

export function taskCommand(): Command {
  return new Command('task')
    .description('open, show, pass on, close and erase tasks')
    .addCommand(open())
    .addCommand(list())
    .addCommand(show())
    .addCommand(close())
    .addCommand(receipt())
    .addCommand(delegateCommand())
    .addCommand(acceptCommand())
    .addCommand(hopsCommand())
    .addCommand(withdrawCommand())
    .addCommand(proofCommand())
    .addCommand(eraseCommand());
}

function open(): Command {
  return command('open', 'give an enrolled agent a task')
    .argument('<objective>', 'what is to be done, in words')
    .requiredOption('--agent <id>', 'the enrolled agent')
    .requiredOption('--allow <file>', 'JSON file with the allowed actions (docs/formats/token.md)')
    .option('--ceiling <tier>', 'observe, record, attest or approve (default record)')
    .option('--budget <n>', 'how many actions may begin')
    .option('--deadline <seconds>', 'how long it may last (default 8 hours)')
    .option('--depth <n>', 'how many hops deep it may be passed on (default 0: not at all)')
    .option('--for <id>', 'opaque id of the person on whose behalf it runs', 'operator')
    .action(async (objective: string, flags: OpenFlags) => {
      const task = await new Client(flags.data).post<TaskView>('/v1/tasks', {
        objective,
        agent: flags.agent,
        allow: parseStrictJson(readFileSync(flags.allow)).value,
        principal: { kind: 'person', id: flags.for, authenticated: 'the operator at the socket' },
        ...(flags.ceiling === undefined ? {} : { ceiling: flags.ceiling }),
        ...(flags.budget === undefined ? {} : { budget: Number(flags.budget) }),
        ...(flags.depth === undefined ? {} : { depth: Number(flags.depth) }),
        ...(flags.deadline === undefined ? {} : { deadlineSeconds: Number(flags.deadline) }),
      });
      print(task, flags.json, () => taskText(task));
    });
}

function list(): Command {
  return command('list', 'the newest tasks').action(async (flags: CommonOptions) => {
    const { tasks } = await new Client(flags.data).get<{ tasks: TaskView[] }>('/v1/tasks');
    print(tasks, flags.json, () =>
      tasks.length === 0
        ? 'No task was opened yet.'
        : table(
            ['task', 'state', 'actions', 'objective'],
            tasks.map(({ task, state, used, objective }) => [task, state, String(used), objective.slice(0, 60)]),
          ),
    );
  });
}

function show(): Command {
  return command('show', 'one task')
    .argument('<task>', 'its id')
    .action(async (id: string, flags: CommonOptions) => {
      const task = await new Client(flags.data).get<TaskView>(`/v1/tasks/${id}`);
      print(task, flags.json, () => taskText(task));
    });
}

function close(): Command {
  return command('close', 'close a task: from this instant on nothing is done in its name')
    .argument('<task>', 'its id')
    .option('--output <file...>', 'a file that the task delivered: its name and SHA-256 are recorded')
    .action(async (id: string, flags: CommonOptions & { output?: readonly string[] }) => {
      const outputs = (flags.output ?? []).map((file) => ({
        name: `file:${basename(file)}`,
        digest: { sha256: toHex(sha256(readFileSync(file))) },
      }));
      const { closed } = await new Client(flags.data).post<{ closed: string }>(`/v1/tasks/${id}/close`, {
        reason: 'operator',
        outputs,
      });
      print({ task: id, closed, outputs }, flags.json, () => `Closed ${id}.`);
    });
}

function receipt(): Command {
  return command('receipt', 'write the receipt of a closed task: one small file to keep')
    .argument('<task>', 'its id')
    .option('-o, --output <file>', 'where it goes (default <task>.deed-receipt)')
    .action(async (id: string, flags: CommonOptions & { output?: string }) => {
      const text = await new Client(flags.data).text(`/v1/tasks/${id}/receipt`);
      const file = resolve(flags.output ?? `${id}.deed-receipt`);
      writeFileSync(file, text, { flag: 'wx' });
      const sizeBytes = Buffer.byteLength(text);
      print(
        { receipt: file, sizeBytes },
        flags.json,
        () => `Wrote ${bold(file)} (${sizeBytes} bytes). Verify it: deed verify ${file} --trust TRUST`,
      );
    });
}

function taskText({ task, state, objective, agent, ceiling, budget, used, deadline, depth, holds, asked }: TaskView) {
  return [
    `${bold(task)}  ${state}`,
    `  objective  ${objective}`,
    `  agent      ${agent ?? 'agent not enrolled'}`,
    `  ceiling    ${ceiling}`,
    `  actions    ${used} of ${budget}`,
    `  deadline   ${deadline}`,
    ...(depth > 0 ? [`  passed on  up to ${depth} hops deep`] : []),
    ...(asked === null ? [] : [`  done?      its agent asked at ${asked} for it to be closed`]),
    ...(holds.length > 0 ? [`  held by    ${holds.join(', ')}`] : []),
  ].join('\n');
}
