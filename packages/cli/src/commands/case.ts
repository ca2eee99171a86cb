import { createPublicKey } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { type CaseGraph, caseBundle, caseGraph, EvidenceError, verify } from '@deed/evidence';
import { makeReadingCopy } from '@deed/reading-copy';
import { Command } from 'commander';
import { Client } from '../client.ts';
import { type CommonOptions, command } from '../options.ts';
import { bold, counted, print } from '../output.ts';
import { visible } from '../visible.ts';

export function caseCommand(): Command {
  return new Command('case')
    .description('export the evidence about a task')
    .addCommand(exportCommand())
    .addCommand(pageCommand())
    .addCommand(bundleCommand())
    .addCommand(graphCommand());
}

function exportCommand(): Command {
  return command('export', 'write the case of a closed task')
    .argument('<task>', 'its id')
    .option('-o, --output <file>', 'where it goes (default <task>.deed)')
    .option('--html [file]', 'write a page for reading it too (default: the name of the case, with .html)')
    .action(async (task: string, flags: CommonOptions & { output?: string; html?: string | true }) => {
      const bytes = await new Client(flags.data).postForBytes(`/v1/tasks/${task}/case`);
      const file = resolve(flags.output ?? `${task}.deed`);
      writeFileSync(file, bytes, { flag: 'wx' });
      const page = flags.html === undefined ? null : pageFile(file, flags.html);
      if (page !== null) await writePage(file, bytes, page);
      print({ case: file, sizeBytes: bytes.length, ...(page === null ? {} : { page }) }, flags.json, () =>
        [
          `Wrote ${bold(file)} (${bytes.length} bytes). Verify it: deed verify ${file} --trust TRUST`,
          ...(page === null ? [] : [`Wrote ${bold(page)}, a copy for reading.`]),
        ].join('\n'),
      );
    });
}

function pageCommand(): Command {
  return new Command('page')
    .description('make a page for reading a case: it holds the case and the verifier, and is never a verdict; offline')
    .argument('<case>', 'a .deed file')
    .option('-o, --output <file>', 'where it goes (default: the name of the case, with .html)')
    .option('--json', 'print JSON', false)
    .action(async (file: string, flags: { output?: string; json: boolean }) => {
      const page = pageFile(file, flags.output ?? true);
      const sizeBytes = await writePage(file, readFileSync(file), page);
      print(
        { page, sizeBytes },
        flags.json,
        () => `Wrote ${bold(page)} (${sizeBytes} bytes). For a verdict: deed verify ${file} --trust TRUST`,
      );
    });
}

function graphCommand(): Command {
  return new Command('graph')
    .description('who ordered, delegated, called, approved and caused what in a case, across systems; offline')
    .argument('<case>', 'a .deed file')
    .option('--trust <file>', 'the trust file, for the verdict that stands beside it')
    .option('--json', 'print nodes and edges as JSON', false)
    .action((file: string, flags: { trust?: string; json: boolean }) => {
      const trust = flags.trust === undefined ? {} : { trust: readFileSync(flags.trust, 'utf8') };
      const graph = caseGraph(readFileSync(file), trust);
      print(graph, flags.json, () => graphText(graph));
    });
}

/** One line an edge, in the order of the log. */
function graphText({ verdict, nodes, edges }: CaseGraph): string {
  const named = new Map(nodes.map(({ id, kind, label, detail }) => [id, `${kind} ${label}${endOf(detail)}`]));
  return [
    ...edges.map(({ from, kind, to }) => visible(`${named.get(from)}  ${kind}  ${named.get(to)}`)),
    `${counted(nodes.length, 'node')}, ${counted(edges.length, 'edge')}; the case is ${verdict}.`,
  ].join('\n');
}

function endOf({ end, recorded, state }: Readonly<Record<string, string>>): string {
  const said = recorded ?? end ?? state;
  return said === undefined ? '' : ` (${said})`;
}

function pageFile(file: string, wanted: string | true): string {
  return resolve(wanted === true ? `${file.replace(/\.deed$/, '')}.html` : wanted);
}

/** Writes the reading copy of a case and returns its size in bytes. */
async function writePage(file: string, bytes: Uint8Array, page: string): Promise<number> {
  const made = await makeReadingCopy(bytes, basename(file));
  writeFileSync(page, made, { flag: 'wx' });
  return made.length;
}

interface BundleFlags {
  readonly output: string;
  readonly statement?: string;
  readonly key?: string;
  readonly json: boolean;
}

function bundleCommand(): Command {
  return new Command('bundle')
    .description('write one statement of a case as a Sigstore bundle (docs/formats/interop.md); needs no server')
    .argument('<case>', 'a .deed file')
    .requiredOption('-o, --output <file>', 'where the bundle goes')
    .option('--statement <index>', "the statement's log index (default: the closing of the task)")
    .option('--key <file>', 'also write the public key of its signer, as PEM')
    .option('--json', 'print JSON', false)
    .action((name: string, flags: BundleFlags) => {
      const bytes = readFileSync(name);
      const { verdict } = verify(bytes);
      if (verdict === 'FORGED' || verdict === 'unusable') {
        throw new EvidenceError('case', `${name} is ${verdict}: no bundle is made of it; see deed verify ${name}`);
      }
      const { index, spki, bundle } = caseBundle(
        bytes,
        flags.statement === undefined ? undefined : indexOf(flags.statement),
      );
      const file = resolve(flags.output);
      writeFileSync(file, `${JSON.stringify(bundle)}\n`, { flag: 'wx' });
      if (flags.key !== undefined) {
        const key = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
        writeFileSync(resolve(flags.key), key.export({ format: 'pem', type: 'spki' }), { flag: 'wx' });
      }
      print({ bundle: file, index }, flags.json, () => `Wrote ${bold(file)}: the statement with log index ${index}.`);
    });
}

function indexOf(text: string): number {
  if (!/^(0|[1-9][0-9]{0,11})$/.test(text))
    throw new EvidenceError('case', `--statement takes a log index, not ${text}`);
  return Number(text);
}
