import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { confirm, isCancel } from '@clack/prompts';
import {
  type ApprovalWord,
  concat,
  encodeApproval,
  fromBase64,
  fromUtf8,
  makePayload,
  openPayload,
  parseActionRecord,
  toBase64,
  utf8,
  type Word,
} from '@deed/evidence';
import { type PersonSigner, ServerError } from '@deed/server';
import type { Command } from 'commander';
import { Client } from '../client.ts';
import { type CommonOptions, command } from '../options.ts';
import { bold, green, print, table, yellow } from '../output.ts';
import { personOf, type SignerFlags, signerOf } from '../person.ts';
import { defaultKeyFolder } from './init.ts';

export interface HoldView {
  readonly id: string;
  readonly task: string;
  readonly expires: string;
  readonly recordObject: string;
  readonly renderingObject: string;
  readonly word: {
    readonly origin: string;
    readonly task: string;
    readonly action: string;
    readonly record: string;
    readonly rendering: string;
    readonly nonce: string;
    readonly notBefore: string;
    readonly expires: string;
  };
}

interface ApproveFlags extends CommonOptions, SignerFlags {
  readonly yes: boolean;
  readonly reject: boolean;
  readonly edit?: string;
}

type Decision = ApprovalWord['decision'];

/** What came of an answer; `people`: how many more it takes. */
export interface Answered {
  readonly kind: string;
  readonly people?: number;
}

export function approveCommand(): Command {
  return command('approve', 'see what waits for a person, and sign or reject exactly that')
    .argument('[action]', 'the action to answer; without it the queue is listed')
    .option('--key <file>', 'your sealed key', join(defaultKeyFolder(), 'person.key.json'))
    .option('--ssh-agent', 'sign with a key in your ssh-agent instead', false)
    .option('--passphrase-file <file>', 'read the passphrase from a file')
    .option('--reject', 'reject instead of approving', false)
    .option('--edit <file>', 'reject, and ask for the same call with the arguments in this JSON file')
    .option('--yes', 'do not ask after showing it', false)
    .action(async (action: string | undefined, flags: ApproveFlags) => {
      const client = new Client(flags.data);
      if (action === undefined) return listHolds(client, flags.json);
      const hold = await client.get<HoldView>(`/v1/approvals/${action}`);
      const shown = checkedRendering(hold);
      if (!flags.json) process.stdout.write(`${shown}\n`);
      const decision = flags.edit === undefined ? (flags.reject ? 'reject' : 'approve') : 'edit';
      if (!flags.yes && !(await sure(decision))) throw new ServerError('request', 'nothing was signed');
      const edited = flags.edit === undefined ? null : readFileSync(flags.edit, 'utf8').trim();
      const answered = await answerHold(client, hold, decision, await signerOf(client, flags), edited);
      print({ action, ...answered }, flags.json, () => inWords(action, answered));
    });
}

function inWords(action: string, { kind, people }: Answered): string {
  if (kind === 'approved') return green(`Approved ${action}.`);
  if (kind === 'waiting') return yellow(`Approved ${action}; it takes ${people} more.`);
  return yellow(`${kind}: ${action}`);
}

async function listHolds(client: Client, json: boolean): Promise<void> {
  const { approvals } = await client.get<{
    approvals: { id: string; task: string; expires: string; quorum: { people: number; grade: string } }[];
  }>('/v1/approvals');
  print(approvals, json, () =>
    approvals.length === 0
      ? 'Nothing waits for a person.'
      : table(
          ['action', 'task', 'until', 'people', 'grade'],
          approvals.map(({ id, task, expires, quorum }) => [id, task, expires, `${quorum.people}`, quorum.grade]),
        ),
  );
}

/** What is shown is what its name says and belongs to the action that is signed. The server could lie; hashes cannot. */
function checkedRendering({ id, word, recordObject, renderingObject }: HoldView): string {
  const record = parseActionRecord(openPayload(fromBase64(recordObject), word.record).bytes);
  if (record.action !== id || word.action !== id || record.task !== word.task) {
    throw new ServerError('request', 'the server shows another action than was asked for; nothing was signed');
  }
  return fromUtf8(openPayload(fromBase64(renderingObject), word.rendering).bytes);
}

async function sure(decision: string): Promise<boolean> {
  if (!process.stdin.isTTY)
    throw new ServerError('request', 'there is no terminal to ask at: read it, then give --yes');
  const answer = await confirm({ message: bold(`${decision} exactly this, once?`), initialValue: false });
  return !isCancel(answer) && answer;
}

/** Signs the answer and hands it in. */
export async function answerHold(
  client: Client,
  hold: HoldView,
  decision: Decision,
  signer: PersonSigner,
  edited: string | null = null,
): Promise<Answered> {
  const person = await personOf(client, signer);
  const object = edited === null ? null : makePayload(utf8(edited));
  const bytes = encodeApproval({ ...hold.word, person: person.id, decision, arguments: object?.name ?? null });
  const word: Word = await signer.word('deed-approval-v1', bytes);
  return client.post(`/v1/approvals/${hold.id}`, {
    person: person.id,
    word,
    ...(object ? { edited: toBase64(concat(object.salt, object.bytes)) } : {}),
  });
}
