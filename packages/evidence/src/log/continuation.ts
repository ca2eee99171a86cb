import { toBase64 } from '../encoding.ts';
import { DeedError } from '../errors.ts';
import { type Checkpoint, parseCheckpoint } from './checkpoint.ts';
import { judgeCheckpoint } from './judge-checkpoint.ts';
import { verifyConsistency } from './merkle.ts';
import { parseNote } from './note.ts';
import type { Trust } from './trust.ts';

export type ContinuationResult =
  | 'continuation' // the present log begins with the old one
  | 'not-a-checkpoint' // nothing can be said: the old file is no checkpoint
  | 'other-log' // nothing can be said: the old file is of another log
  | 'bad-signature' // nothing can be said: the log's keys have not signed the old file
  | 'unsigned' // the present checkpoint is not one of this log
  | 'truncated' // the present log is smaller than it was
  | 'forked'; // the present log is not the one that was signed then

export interface Continuation {
  readonly result: ContinuationResult;
  /** 0 for a continuation, 2 where the old file cannot be used, 5 where the present log contradicts it. */
  readonly code: 0 | 2 | 5;
  /** One plain sentence. */
  readonly says: string;
  readonly old: Checkpoint | null;
  readonly present: Checkpoint | null;
}

const codes: Readonly<Record<ContinuationResult, Continuation['code']>> = {
  continuation: 0,
  'not-a-checkpoint': 2,
  'other-log': 2,
  'bad-signature': 2,
  unsigned: 5,
  truncated: 5,
  forked: 5,
};

/**
 * Says whether a log goes on where an older signed checkpoint of it stood. All but the trust file is untrusted; it does not throw
 * on bad input.
 * @param proof the consistency proof between the two sizes (RFC 9162 section 2.1.4), or null where none was to be had
 */
export function judgeContinuation(given: {
  readonly old: string;
  readonly present: string;
  readonly proof: readonly Uint8Array[] | null;
  readonly trust: Trust;
}): Continuation {
  const { proof, trust } = given;
  const old = read(given.old);
  const present = read(given.present);
  const answer = (result: ContinuationResult, says: string): Continuation => ({
    result,
    code: codes[result],
    says,
    old,
    present,
  });
  if (!old)
    return answer('not-a-checkpoint', 'The old file is not a signed checkpoint (deed log checkpoint writes one).');
  const names = new Set(trust.logs.map(({ key }) => key.name));
  if (!names.has(old.origin)) {
    return answer(
      'other-log',
      `The old checkpoint is of ${old.origin}, the trust file names ${[...names].join(', ')}.`,
    );
  }
  const before = judgeCheckpoint(given.old, trust);
  if (!before.logKeysOk) {
    const { missingLogKeys: missing, badSignatures: bad } = before;
    const keys = (missing.length > 0 ? missing : bad).join(', ');
    return answer('bad-signature', `The old checkpoint has no valid signature by ${keys}.`);
  }
  if (!present || present.origin !== old.origin || !judgeCheckpoint(given.present, trust).logKeysOk) {
    return answer('unsigned', 'The present checkpoint is not signed by the keys of this log.');
  }
  const { size: oldSize, root: oldRoot } = old;
  const { size: newSize, root: newRoot } = present;
  if (newSize < oldSize) {
    return answer('truncated', `The log had ${oldSize} entries and now has ${newSize}: entries were taken away.`);
  }
  if (!proof || !verifyConsistency({ oldSize, oldRoot, newSize, newRoot, proof })) {
    const why =
      newSize === oldSize && toBase64(oldRoot) !== toBase64(newRoot)
        ? `two roots were signed for size ${oldSize}`
        : `no proof leads from size ${oldSize} to size ${newSize}`;
    return answer('forked', `The present log does not continue the one that was signed then: ${why}.`);
  }
  return answer('continuation', `The first ${oldSize} of ${newSize} entries are those of the old checkpoint.`);
}

function read(text: string): Checkpoint | null {
  try {
    return parseCheckpoint(parseNote(text).text);
  } catch (error) {
    if (error instanceof DeedError) return null;
    throw error;
  }
}
