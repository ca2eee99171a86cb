import { fromUtf8 } from '../../src/encoding.ts';
import { parseTlogProof } from '../../src/log/tlog-proof.ts';
import { encodeReceipt, type ReceiptEntry, type TaskReceipt } from '../../src/receipt.ts';
import { type ReceiptOptions, type ReceiptReport, verifyReceipt } from '../../src/verify/receipt.ts';
import { nowMs, trust } from './case-maker.ts';
import type { LogMaker, Recorded } from './log-maker.ts';
import { Story } from './story.ts';

/** The receipt of a story's task under one checkpoint: an honest one, as far as the story is. */
export function receiptOf(story: Story, checkpoint = story.log.checkpoint()): TaskReceipt {
  const { log, task } = story;
  const closed = log.entries.find(({ step }) => step === 'closed');
  if (!closed) throw new Error('the story has no closing');
  return {
    task,
    closed: entryOf(log, closed, checkpoint),
    keys: log.entries.filter(({ series }) => series === 'keys').map((entry) => entryOf(log, entry, checkpoint)),
    checkpoint: checkpoint.note,
  };
}

export function entryOf(
  log: LogMaker,
  recorded: Recorded,
  checkpoint: { readonly size: number; readonly note: string },
): ReceiptEntry {
  const { proof } = parseTlogProof(fromUtf8(log.proof(recorded.index, checkpoint)));
  return { index: recorded.index, proof, envelope: log.envelope(recorded) };
}

/** Tells a story, bends its receipt, and verifies what comes of it with the trust file of the story. */
export function examineReceipt(receipt: TaskReceipt | Uint8Array, options: ReceiptOptions = {}): ReceiptReport {
  const file = receipt instanceof Uint8Array ? receipt : encodeReceipt(receipt);
  return verifyReceipt(file, { trust, nowMs, ...options });
}

export function tell(bend: ConstructorParameters<typeof Story>[0] = {}): Story {
  return new Story(bend).tell();
}
