import { describe, expect, test } from 'vitest';
import { decodeEnvelope, statementDigest } from '../../src/dsse.ts';
import { fromUtf8, utf8 } from '../../src/encoding.ts';
import { decodeLeaf, encodeLeaf } from '../../src/log/leaf.ts';
import { type LogProofOptions, verifyLogProof } from '../../src/verify/log-proof.ts';
import { actors } from '../support/actors.ts';
import { nowMs, trust } from '../support/case-maker.ts';
import { tell } from '../support/receipt-maker.ts';

const { log } = tell();
const entryAt = (step: string) => {
  const entry = log.entries.find((known) => known.step === step);
  if (!entry) throw new Error(`no step ${step}`);
  return entry;
};
const leafOf = (step: string, spki = actors.receipt.spki) => {
  const { payload, signature } = entryAt(step).envelope;
  return encodeLeaf({ digest: statementDigest(payload), signature, spki });
};
const closed = entryAt('closed');
const proof = log.proof(closed.index, log.checkpoint());
const leaf = leafOf('closed');
const statement = log.envelope(closed);

function judged(file: Uint8Array, options: LogProofOptions = {}) {
  const { verdict, reasons } = verifyLogProof(file, { trust, nowMs, leaf, statement, ...options });
  return `${verdict} ${reasons.map(({ check, message }) => `${check}: ${message}`).join('; ')}`;
}

describe('a tlog-proof file', () => {
  test('verifies with its leaf, and names the statement that the leaf is of', () => {
    const report = verifyLogProof(proof, { trust, nowMs, leaf, statement });
    expect(report).toMatchObject({ verdict: 'VERIFIED', code: 0, index: closed.index, reasons: [] });
    expect(report.statement).toMatchObject({ predicate: 'task-closed', digest: closed.digest });
    expect(report.witnesses.map(({ name }) => name)).toEqual(['notary']);
    expect(judged(proof, { statement: undefined })).toBe('VERIFIED ');
  });

  test('shows nothing without a leaf', () => {
    expect(judged(proof, { leaf: undefined, statement: undefined })).toMatch(/^INCOMPLETE leaf: no leaf was given/);
    expect(judged(proof, { leaf: undefined })).toMatch(/^INCOMPLETE .*statement: no leaf was given/);
  });

  test('is FORGED with another leaf, index or checkpoint', () => {
    expect(judged(proof, { leaf: leafOf('opened') })).toMatch(/^FORGED leaf: .*not in the tree/);
    expect(judged(utf8(fromUtf8(proof).replace(`index ${closed.index}`, 'index 3')))).toMatch(/^FORGED leaf/);
    const unsigned = log.proof(closed.index, log.checkpoint(log.size, [actors.witness]));
    expect(judged(unsigned)).toMatch(/^FORGED trust: .*no signature by the log key/);
  });

  test('is FORGED with a statement that is not the one of its leaf', () => {
    expect(judged(proof, { statement: log.envelope(entryAt('opened')) })).toMatch(
      /^FORGED statement: .*another statement/,
    );
    const { payload, keyid } = decodeEnvelope(statement);
    const again = log.envelope({
      ...closed,
      envelope: { payload, keyid, signature: entryAt('opened').envelope.signature },
    });
    expect(judged(proof, { statement: again })).toMatch(/^FORGED statement: .*another signature/);
    const taken = tell();
    expect(judged(taken.log.proof(closed.index, taken.log.checkpoint()))).toMatch(/^FORGED leaf/);
  });

  test('is UNANCHORED without a trust file or a witness, or when its head is too old', () => {
    expect(judged(proof, { trust: undefined })).toMatch(/^UNANCHORED trust: no trust file/);
    const alone = log.proof(closed.index, log.checkpoint(log.size, actors.logs));
    expect(judged(alone)).toMatch(/^UNANCHORED trust: .*no witness quorum/);
    expect(judged(proof, { nowMs: nowMs + 90_000_000 })).toMatch(/^UNANCHORED trust: .*the trust file allows/);
  });

  test('is unusable in another form', () => {
    for (const bent of [
      utf8('PK'),
      utf8(`${fromUtf8(proof)}\n`),
      utf8(fromUtf8(proof).replace('@v1', '@v1\nextra AA==')),
    ]) {
      expect(verifyLogProof(bent, { trust, leaf })).toMatchObject({ verdict: 'unusable', code: 2, index: null });
    }
  });
});

test('a leaf is read in its one form only', () => {
  expect(encodeLeaf(decodeLeaf(leaf))).toEqual(leaf);
  const text = fromUtf8(leaf);
  for (const bent of [`${text} `, text.replace('0.0.2', '0.0.1'), text.replace('{"api', '{ "api'), '{}']) {
    expect(() => decodeLeaf(utf8(bent))).toThrow('not a leaf of this log');
  }
});
