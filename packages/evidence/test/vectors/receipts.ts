import { decodeEnvelope, encodeEnvelope, statementDigest } from '../../src/dsse.ts';
import { fromUtf8, toHex, utf8 } from '../../src/encoding.ts';
import { encodeLeaf } from '../../src/log/leaf.ts';
import { sha256 } from '../../src/platform.ts';
import { encodeReceipt, type TaskReceipt } from '../../src/receipt.ts';
import type { Verdict } from '../../src/verify/report.ts';
import { actors } from '../support/actors.ts';
import { all, at, set, signedBy } from '../support/bends.ts';
import { nowMs, trustText } from '../support/case-maker.ts';
import { entryOf, receiptOf, tell } from '../support/receipt-maker.ts';
import type { Bend, Story } from '../support/story.ts';
import type { Given } from '../support/vector.ts';
import { logRotated, newLog, otherLog, rotatedAfter } from '../verify/key-changes/rotations.ts';
import type { Example } from './example.ts';
import { parts } from './honest/tasks.ts';
import { fewKeys, trustWith } from './trust-files.ts';

const delivered = utf8('What was delivered.\n');
const short = (bend: Bend = {}) => tell({ logs: fewKeys, ...all(parts('write'), bend) });
const story = short(
  at('closed', ({ body }) => {
    body.outputs = [{ name: 'file:report.txt', digest: { sha256: toHex(sha256(delivered)) } }];
  }),
);
const honest = receiptOf(story);
const text = fromUtf8(encodeReceipt(honest));

type Over = Partial<Pick<Given, 'trust' | 'nowMs' | 'artifact'>>;
type Row = readonly [verdict: Verdict, check: string | undefined, receipt: TaskReceipt | string, over?: Over];
const small = trustWith({});

function without(keys: number): TaskReceipt {
  return { ...honest, keys: honest.keys.filter((_, i) => i !== keys) };
}

function openedAsClosing({ log }: Story): TaskReceipt {
  const opened = log.entries.find(({ step }) => step === 'opened');
  if (!opened) throw new Error('the story has no opening');
  return { ...honest, closed: entryOf(log, opened, log.checkpoint()) };
}

function otherOutputs(): TaskReceipt {
  const closed = decodeEnvelope(honest.closed.envelope);
  const payload = utf8(fromUtf8(closed.payload).replace(toHex(sha256(delivered)), toHex(sha256(utf8('other')))));
  return { ...honest, closed: { ...honest.closed, envelope: encodeEnvelope({ ...closed, payload }) } };
}

const rotated = tell({ ...logRotated([newLog, otherLog]), parts: ['write'] });
const compromised = (from: number) => `${small}compromised ${actors.receipt.keyid} ${from}\n`;

const rows: Readonly<Record<string, Row>> = {
  'the receipt of a task': ['VERIFIED', undefined, honest],
  'the receipt of a task, and the file that it delivered': ['VERIFIED', undefined, honest, { artifact: delivered }],
  'the receipt of a task that delivered a git ref': ['VERIFIED', undefined, receiptOf(short(parts('push')))],
  'the receipt of a task with an intent that is still open': [
    'VERIFIED',
    undefined,
    receiptOf(short(set('closed', 'open', ['a'.repeat(64)]))),
  ],
  'the receipt of a task in a log with a post-quantum key': [
    'VERIFIED',
    undefined,
    receiptOf(tell(parts('write'))),
    { trust: trustText },
  ],
  'a receipt whose log key was exchanged before': [
    'VERIFIED',
    undefined,
    receiptOf(rotated, rotated.log.checkpoint(rotated.log.size, [newLog, otherLog, actors.witness])),
    { trust: trustText },
  ],
  'a receipt by the successor of a receipt key': [
    'VERIFIED',
    undefined,
    receiptOf(short(rotatedAfter('write:intent', 'end', ({ log }) => log.size))),
  ],
  'a receipt whose key was compromised only later': [
    'VERIFIED',
    undefined,
    honest,
    { trust: compromised(honest.closed.index + 1) },
  ],
  'a receipt, and another file than it delivered': [
    'FORGED',
    'artifact',
    honest,
    { artifact: utf8('Something else.') },
  ],
  'a receipt with other outputs than were signed': ['FORGED', 'signatures', otherOutputs()],
  'a receipt by another role': ['FORGED', 'signatures', receiptOf(short(signedBy('closed', actors.registrar)))],
  'a receipt by a key that was compromised by then': [
    'FORGED',
    'signatures',
    honest,
    { trust: compromised(honest.closed.index) },
  ],
  'a receipt under another root': ['FORGED', 'trust', honest, { trust: trustWith({ root: 'f'.repeat(64) }) }],
  'a receipt with the proof of another entry': [
    'FORGED',
    'proofs',
    { ...honest, closed: { ...honest.closed, proof: honest.keys[0]?.proof ?? [] } },
  ],
  'a receipt under a smaller checkpoint': [
    'FORGED',
    'proofs',
    { ...honest, checkpoint: story.log.checkpoint(story.log.size - 1).note },
  ],
  'a receipt of another task': ['FORGED', 'statements', { ...honest, task: short().task }],
  'a receipt whose closing is an opening': ['FORGED', 'statements', openedAsClosing(story)],
  'a receipt without the first key': ['INCOMPLETE', 'keys', without(0)],
  'a receipt with a gap in its keys': ['INCOMPLETE', 'series', without(1)],
  'a receipt, and a file of which it has no digest': [
    'INCOMPLETE',
    'artifact',
    receiptOf(short(parts('push'))),
    { artifact: delivered },
  ],
  'a receipt that no witness saw': [
    'UNANCHORED',
    'trust',
    receiptOf(story, story.log.checkpoint(story.log.size, fewKeys)),
  ],
  'a receipt without a trust file': ['UNANCHORED', 'trust', honest, { trust: undefined }],
  'a receipt with a space': ['unusable', 'form', text.replace('{"v":1,', '{"v":1, ')],
  'a receipt with a member twice': ['unusable', 'form', text.replace('{"v":1,', '{"v":1,"v":1,')],
  'a receipt of a newer version': ['unusable', 'form', text.replace('{"v":1,', '{"v":2,')],
  'a receipt with an unknown member': ['unusable', 'form', text.replace('"task"', '"more":1,"task"')],
};

/** Receipts, honest and not. */
export function receiptExamples(): Example[] {
  return Object.entries(rows).map(([name, [verdict, check, receipt, over]]) => {
    const file = typeof receipt === 'string' ? utf8(receipt) : encodeReceipt(receipt);
    const given: Given = { kind: 'receipt', file, trust: small, nowMs, ...over };
    return { name, what: `${name[0]?.toUpperCase()}${name.slice(1)}.`, given, verdict, ...(check ? { check } : {}) };
  });
}

const { log } = story;
const stepAt = (step: string) => {
  const entry = log.entries.find((known) => known.step === step);
  if (!entry) throw new Error(`no step ${step}`);
  const { payload, signature } = entry.envelope;
  const { spki } = Object.values({ receipt: actors.receipt, root: actors.root }).find(
    ({ keyid }) => keyid === entry.envelope.keyid,
  ) ?? { spki: new Uint8Array() };
  return {
    index: entry.index,
    leaf: encodeLeaf({ digest: statementDigest(payload), signature, spki }),
    statement: log.envelope(entry),
  };
};
const [closed, opened, first] = [stepAt('closed'), stepAt('opened'), stepAt('key:root')];
const proofOf = (index: number, size = log.size, signers = [...fewKeys, actors.witness]) =>
  log.proof(index, log.checkpoint(size, signers));
const proof = proofOf(closed.index);
const bare = { leaf: undefined, statement: undefined };

type ProofRow = readonly [Verdict, string | undefined, Uint8Array, Partial<Given>?];
const proofRows: Readonly<Record<string, ProofRow>> = {
  'a proof with its leaf and the statement of the leaf': ['VERIFIED', undefined, proof],
  'a proof with its leaf alone': ['VERIFIED', undefined, proof, { statement: undefined }],
  'the proof of the first entry': ['VERIFIED', undefined, proofOf(first.index), first],
  'the proof of the only entry of a log': ['VERIFIED', undefined, proofOf(0, 1), first],
  'the proof of the last entry under a smaller checkpoint': [
    'VERIFIED',
    undefined,
    proofOf(opened.index, opened.index + 1),
    opened,
  ],
  'a proof with the leaf of another entry': ['FORGED', 'leaf', proof, { leaf: first.leaf }],
  'a proof that names another index': [
    'FORGED',
    'leaf',
    utf8(fromUtf8(proof).replace(`index ${closed.index}`, 'index 3')),
  ],
  'a proof with the statement of another leaf': ['FORGED', 'statement', proof, { statement: first.statement }],
  'a proof that the log did not sign': ['FORGED', 'trust', proofOf(closed.index, log.size, [actors.witness])],
  'a proof without a leaf': ['INCOMPLETE', 'leaf', proof, bare],
  'a proof that no witness saw': ['UNANCHORED', 'trust', proofOf(closed.index, log.size, fewKeys)],
  'a proof without a trust file': ['UNANCHORED', 'trust', proof, { trust: undefined }],
  'a proof with an extra line': ['unusable', 'form', utf8(fromUtf8(proof).replace('@v1', '@v1\nextra AA=='))],
  'a proof that goes on after its end': ['unusable', 'form', utf8(`${fromUtf8(proof)}\n`)],
};

/** tlog-proof files, honest and not. */
export function proofExamples(): Example[] {
  return Object.entries(proofRows).map(([name, [verdict, check, file, over]]) => {
    const { leaf, statement } = closed;
    const given: Given = { kind: 'tlog-proof', file, trust: small, nowMs, leaf, statement, ...pick(over) };
    return { name, what: `${name[0]?.toUpperCase()}${name.slice(1)}.`, given, verdict, ...(check ? { check } : {}) };
  });
}

/** What a verifier can be given beside a proof, and nothing else. */
function pick(over: Partial<Given> = {}): Partial<Given> {
  return Object.fromEntries(Object.entries(over).filter(([key]) => ['leaf', 'statement', 'trust'].includes(key)));
}
