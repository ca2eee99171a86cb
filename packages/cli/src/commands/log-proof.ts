import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { DeedError, fromBase64, judgeContinuation, parseCheckpoint, parseNote, parseTrust } from '@deed/evidence';
import type { ConsistencyView, ProofView, Under } from '@deed/server';
import type { Command } from 'commander';
import { Client } from '../client.ts';
import { type CommonOptions, command } from '../options.ts';
import { bold, green, print, red } from '../output.ts';

interface ProofFlags extends CommonOptions {
  readonly output?: string;
  readonly leaf?: string;
  readonly statement?: string;
  readonly published: boolean;
}

const under = ({ published }: { readonly published: boolean }): Under => (published ? 'published' : 'witnessed');

export function proofCommand(): Command {
  return command('proof', 'write the tlog-proof of one entry under the newest witnessed checkpoint')
    .argument('<entry>', 'its log index, or the digest of its statement')
    .option('-o, --output <file>', 'where it goes (default <index>.tlog-proof)')
    .option('--leaf <file>', "also write the log's entry, which the proof is about")
    .option('--statement <file>', 'also write the envelope of the statement, which the entry is about')
    .option('--published', 'under the newest checkpoint that is published, witnessed or not', false)
    .action(async (entry: string, flags: ProofFlags) => {
      const path = `/v1/log/proofs/${encodeURIComponent(entry)}?under=${under(flags)}`;
      const made = await new Client(flags.data).get<ProofView>(path);
      const file = resolve(flags.output ?? `${made.index}.tlog-proof`);
      const write = (name: string, bytes: string | Uint8Array) => writeFileSync(resolve(name), bytes, { flag: 'wx' });
      write(file, made.proof);
      if (flags.leaf !== undefined) write(flags.leaf, fromBase64(made.leaf));
      if (flags.statement !== undefined) write(flags.statement, made.statement);
      print({ file, ...made }, flags.json, () =>
        [
          `Wrote ${bold(file)}: entry ${made.index} of ${made.size}, ${made.under}.`,
          `Verify it: deed verify ${file} --trust TRUST --leaf ${flags.leaf ?? 'LEAF (write it with --leaf)'}`,
        ].join('\n'),
      );
    });
}

export function consistencyCommand(): Command {
  return command('consistency', 'show that the log goes on where an older signed checkpoint of it stood: 0 yes, 5 no')
    .argument('<checkpoint>', 'a file with the older checkpoint')
    .option('--trust <file>', "whose log it is (default: the server's own word)")
    .option('--published', 'up to the newest checkpoint that is published, witnessed or not', false)
    .action(async (file: string, flags: CommonOptions & { trust?: string; published: boolean }) => {
      const client = new Client(flags.data);
      const old = readFileSync(file, 'utf8');
      const trust = parseTrust(flags.trust ? readFileSync(flags.trust, 'utf8') : await client.text('/v1/trust'));
      const path = `/v1/log/consistency?from=${sizeOf(old)}&under=${under(flags)}`;
      const { checkpoint: present, proof: hashes } = await client.get<ConsistencyView>(path);
      const judged = judgeContinuation({ old, present, proof: hashes?.map(fromBase64) ?? null, trust });
      const { result, code, says } = judged;
      const sizes = { from: judged.old?.size ?? null, to: judged.present?.size ?? null };
      print({ result, code, says, ...sizes, proof: hashes, checkpoint: present }, flags.json, () =>
        code === 0 ? green(says) : red(says),
      );
      process.exitCode = code;
    });
}

/** How large the tree of a checkpoint is; 0 for what is none, which is judged afterwards. */
function sizeOf(text: string): number {
  try {
    return parseCheckpoint(parseNote(text).text).size;
  } catch (error) {
    if (error instanceof DeedError) return 0;
    throw error;
  }
}
