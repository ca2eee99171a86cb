import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { proves } from '../../../../tests/promises.ts';
import { decodeEnvelope, encodeEnvelope } from '../../src/dsse.ts';
import { fromUtf8, toHex, utf8 } from '../../src/encoding.ts';
import { sha256 } from '../../src/platform.ts';
import { encodeReceipt, parseReceipt, type TaskReceipt } from '../../src/receipt.ts';
import { fileKind } from '../../src/verify/file-kind.ts';
import { verifyReceipt } from '../../src/verify/receipt.ts';
import type { Verdict } from '../../src/verify/report.ts';
import { actors, newNoteSigner, newSigner, origin, roleKey, type Signer } from '../support/actors.ts';
import { at, set } from '../support/bends.ts';
import { makeCase, nowMs, trust } from '../support/case-maker.ts';
import { entryOf, examineReceipt, receiptOf, tell } from '../support/receipt-maker.ts';

const report = utf8('What was delivered.\n');
const story = tell(
  at('closed', ({ body }) => {
    const outputs = body.outputs as object[];
    body.outputs = [...outputs, { name: 'file:report.txt', digest: { sha256: toHex(sha256(report)) } }];
  }),
);
const honest = receiptOf(story);
const file = encodeReceipt(honest);

const signs = (step: string, signer: Signer) =>
  at(step, (draft) => {
    draft.signer = signer;
  });

/** The verdict and the reasons that gave it. */
function judged(receipt: TaskReceipt | Uint8Array, options: Parameters<typeof examineReceipt>[1] = {}) {
  const { verdict, reasons } = examineReceipt(receipt, options);
  return {
    verdict,
    why: reasons.filter((one) => one.verdict === verdict).map(({ check, message }) => `${check}: ${message}`),
  };
}

function refused(verdict: Verdict, says: RegExp, receipt: TaskReceipt | Uint8Array, options = {}) {
  const found = judged(receipt, options);
  expect(found).toMatchObject({ verdict });
  expect(found.why.join('\n')).toMatch(says);
}

describe('the receipt of a task', () => {
  test('verifies, tells what the log closed, and no more', () => {
    proves('task-receipt');
    const found = examineReceipt(file);
    expect(found).toMatchObject({ verdict: 'VERIFIED', code: 0, reasons: [], root: actors.root.keyid });
    expect(found.receipt).toMatchObject({
      task: story.task,
      origin,
      open: 0,
      statements: (story.log.head(story.task)?.n ?? 0) + 1,
    });
    expect(found.receipt?.outputs).toContain(`file:report.txt sha256 ${toHex(sha256(report))}`);
    expect(found.witnesses.map(({ name }) => name)).toEqual(['notary']);
    expect(found.limits[0]).toMatch(/nothing about the actions/);
    expect(found.checks.map(({ result }) => result)).toEqual(Array(7).fill('ok'));
  });

  test('has one byte form, and is known by how it begins', () => {
    expect(encodeReceipt(parseReceipt(file))).toEqual(file);
    expect(fileKind(file)).toBe('receipt');
    expect(fileKind(makeCase().file)).toBe('case');
    expect(fileKind(utf8('c2sp.org/tlog-proof@v1\n'))).toBe('tlog-proof');
    expect(fileKind(new Uint8Array())).toBe('case');
  });

  test('recognises a delivered file, and refuses another one', () => {
    expect(examineReceipt(file, { artifact: report })).toMatchObject({
      verdict: 'VERIFIED',
      artifact: { outputs: ['file:report.txt'] },
    });
    refused('FORGED', /artifact: no output has the file's digest/, file, { artifact: utf8('Something else.') });
    refused('INCOMPLETE', /artifact: no output has a sha256 digest/, receiptOf(tell()), { artifact: report });
  });

  test('says how many actions had no outcome yet', () => {
    const open = tell(set('closed', 'open', ['a'.repeat(64)]));
    const found = examineReceipt(receiptOf(open));
    expect(found.receipt?.open).toBe(1);
    expect(found.limits.join('\n')).toMatch(/1 actions had no outcome yet/);
  });
});

describe('a receipt that lies about its signer is FORGED', () => {
  const signedBy = (signer: typeof actors.receipt) => receiptOf(tell(signs('closed', signer)));

  test('by a stranger', () => refused('FORGED', /signed by a key without a role/, signedBy(newSigner())));
  test('by another role', () =>
    refused('FORGED', /signed by a registrar key, must be receipt/, signedBy(actors.registrar)));
  test('with a signature of something else', () => {
    const closed = decodeEnvelope(honest.closed.envelope);
    const other = decodeEnvelope(honest.keys[1]?.envelope ?? new Uint8Array());
    const envelope = encodeEnvelope({ ...closed, signature: other.signature });
    refused('FORGED', /signatures: .*the signature fails/, { ...honest, closed: { ...honest.closed, envelope } });
  });

  test('with a key that had ended', () => {
    const ended = tell({
      after({ step, index }, story) {
        if (step !== 'opened') return;
        const key = roleKey('receipt');
        story.record({
          step: 'ended',
          predicate: 'key-event',
          place: { series: 'keys' },
          subject: { name: `key:${key.keyid}`, sha256: key.keyid },
          body: { event: 'end', key, from: index + 1 },
          signer: actors.root,
        });
      },
    });
    refused('FORGED', /the receipt key was not in force there/, receiptOf(ended));
  });

  test('with a key that the trust file knows to be compromised', () => {
    const compromised = [{ keyid: actors.receipt.keyid, from: honest.closed.index }];
    refused('FORGED', /the receipt key was compromised by then/, file, { trust: { ...trust, compromised } });
    const later = [{ keyid: actors.receipt.keyid, from: honest.closed.index + 1 }];
    expect(examineReceipt(file, { trust: { ...trust, compromised: later } }).verdict).toBe('VERIFIED');
  });

  test('under another root', () => {
    refused('FORGED', /trust: the root is/, file, { trust: { ...trust, root: 'f'.repeat(64) } });
    const usurped = tell(signs('key:receipt', actors.stranger));
    refused('FORGED', /is not signed by the root/, receiptOf(usurped));
  });
});

describe('a receipt that lies about the log is FORGED', () => {
  const { log } = story;

  test('with the proof of another entry', () => {
    const [first, second] = honest.keys;
    if (!first || !second) throw new Error('no keys');
    refused('FORGED', /proofs: .*is not in the tree/, { ...honest, closed: { ...honest.closed, proof: first.proof } });
    refused('FORGED', /is not in the tree/, {
      ...honest,
      closed: { ...honest.closed, index: honest.closed.index + 1 },
    });
    refused('FORGED', /is not in the tree/, {
      ...honest,
      keys: [{ ...first, proof: second.proof }, ...honest.keys.slice(1)],
    });
  });

  test('under another checkpoint', () => {
    refused('FORGED', /is not in the tree/, { ...honest, checkpoint: log.checkpoint(log.size - 1).note });
    const elsewhere = log.checkpoint(log.size, [newNoteSigner(origin, 1), newNoteSigner(origin, 6), actors.witness]);
    refused('FORGED', /not signed by the log's keys/, receiptOf(story, elsewhere));
    refused(
      'FORGED',
      /not signed by the log's keys/,
      receiptOf(story, log.checkpoint(log.size, [...actors.logs.slice(0, 1), actors.witness])),
    );
    refused('FORGED', /checkpoint has another origin|has another form/, {
      ...honest,
      checkpoint: honest.checkpoint.replace(origin, 'deed.local/other'),
    });
  });

  test('when its closing is of another task, or no closing', () => {
    refused('FORGED', /the closing is of tsk_/, { ...honest, task: tell().task });
    const opened = log.entries.find(({ step }) => step === 'opened');
    if (!opened) throw new Error('no opening');
    refused('FORGED', /a task-opened where a task-closed belongs/, {
      ...honest,
      closed: entryOf(log, opened, log.checkpoint()),
    });
    refused('FORGED', /a task-closed where a key-event belongs/, { ...honest, keys: [...honest.keys, honest.closed] });
  });

  test('when it counts another number of statements', () => {
    refused('FORGED', /counts another number/, receiptOf(tell(set('closed', 'count', 3))));
  });

  test('when its outputs were changed afterwards', () => {
    const closed = decodeEnvelope(honest.closed.envelope);
    const payload = utf8(
      fromUtf8(closed.payload).replace(toHex(sha256(report)), toHex(sha256(utf8('Something else.')))),
    );
    const envelope = encodeEnvelope({ ...closed, payload });
    refused('FORGED', /signatures: .*the signature fails/, { ...honest, closed: { ...honest.closed, envelope } });
  });
});

describe('a receipt without all its keys', () => {
  test('is INCOMPLETE when the series keys has a gap or no beginning', () => {
    refused('INCOMPLETE', /does not begin with the root/, { ...honest, keys: honest.keys.slice(1) });
    refused('INCOMPLETE', /nothing between 0 and 2/, { ...honest, keys: honest.keys.filter((_, n) => n !== 1) });
  });

  test('is FORGED when its signer or a key of the log is not among them', () => {
    refused('FORGED', /signed by a key without a role/, { ...honest, keys: honest.keys.slice(0, 2) });
    refused('FORGED', /not signed by the log's keys/, { ...honest, keys: honest.keys.slice(0, 4) });
  });

  test('says up to where it knows them', () => {
    const last = honest.keys.at(-1)?.index ?? 0;
    expect(examineReceipt(honest).limits.join('\n')).toContain(`up to log index ${last}:`);
    expect(examineReceipt({ ...honest, keys: honest.keys.slice(0, -1) }).limits.join('\n')).toContain(
      `up to log index ${last - 1}:`,
    );
  });
});

describe('a receipt is UNANCHORED', () => {
  test('without a trust file, a root or a witness', () => {
    expect(verifyReceipt(file, { nowMs }).verdict).toBe('UNANCHORED');
    const { root: _, ...rootless } = trust;
    refused('UNANCHORED', /names no root/, file, { trust: rootless });
    refused('UNANCHORED', /no witness quorum/, receiptOf(story, story.log.checkpoint(story.log.size, actors.logs)));
    refused('UNANCHORED', /asks for no witness/, file, { trust: { ...trust, quorum: 'none' } });
  });

  test('when its head is older than the trust file allows', () => {
    refused('UNANCHORED', /the trust file allows/, file, { nowMs: nowMs + 90_000_000 });
  });
});

describe('a file is no receipt', () => {
  const text = fromUtf8(file);
  const variants: readonly (readonly [string, string])[] = [
    ['with an unknown member', text.replace('"task"', '"more":1,"task"')],
    ['with an unknown member of its envelope', text.replace('"payloadType"', '"more":1,"payloadType"')],
    ['with its members in another order', JSON.stringify({ format: 'deed-receipt', v: 1, ...JSON.parse(text) })],
    ['with a space', text.replace('{"v":1,', '{"v":1, ')],
    ['with a newline at its end', `${text}\n`],
    ['with a member twice', text.replace('{"v":1,', '{"v":1,"v":1,')],
    ['of a newer version', text.replace('{"v":1,', '{"v":2,')],
    ['without keys', encodeText({ ...honest, keys: [] })],
    ['cut off', text.slice(0, -10)],
    ['that is other JSON', '{}'],
  ];
  for (const [how, bytes] of variants) {
    test(how, () => {
      expect(bytes).not.toBe(text);
      expect(examineReceipt(utf8(bytes))).toMatchObject({ verdict: 'unusable', code: 2, receipt: null, limits: [] });
    });
  }

  test('and no byte of one can be changed unseen', () => {
    // Under another name or key ID a witness's line is nobody's: the same receipt without it, for which no quorum vouches.
    const line = text.indexOf(`— ${actors.witness.key.name} `);
    const begin = utf8(text.slice(0, line)).length;
    const end = begin + utf8(text.slice(line, text.indexOf('\\n', line))).length;
    expect(end).toBeGreaterThan(begin + 100);
    fc.assert(
      fc.property(fc.nat(file.length - 1), fc.integer({ min: 1, max: 255 }), (place, bits) => {
        const bent = Uint8Array.from(file);
        bent[place] = (bent[place] ?? 0) ^ bits;
        const inLine = place >= begin && place < end;
        const seen: Verdict[] = ['unusable', 'FORGED', 'INCOMPLETE', ...(inLine ? (['UNANCHORED'] as const) : [])];
        expect(seen).toContain(examineReceipt(bent).verdict);
      }),
      {
        numRuns: process.env.SLOW === '1' ? 20_000 : 200,
        examples: Array.from({ length: end - begin }, (_, i): [number, number] => [begin + i, 1]),
      },
    );
  });
});

function encodeText(receipt: TaskReceipt): string {
  return fromUtf8(encodeReceipt(receipt));
}
