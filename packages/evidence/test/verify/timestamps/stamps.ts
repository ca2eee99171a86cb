import { members } from '../../../src/case/members.ts';
import { fromUtf8, toHex, utf8 } from '../../../src/encoding.ts';
import { parseNote } from '../../../src/log/note.ts';
import { parseTlogProof } from '../../../src/log/tlog-proof.ts';
import { sha256 } from '../../../src/platform.ts';
import type { Files } from '../../support/log-maker.ts';
import type { Bend, Story } from '../../support/story.ts';
import { TimestampAuthority } from '../../support/timestamp-authority.ts';

export const tsa = new TimestampAuthority({ name: 'TSA' });
export const stranger = new TimestampAuthority({ name: 'stranger' });

export const textIn = (files: Files, name: string) =>
  parseNote(parseTlogProof(fromUtf8(files.get(name) ?? utf8(''))).checkpoint).text;
export const indexOf = (story: Story, step: string) => story.said.get(step)?.index ?? -1;
export const anchorText = (files: Files, story: Story) =>
  textIn(files, members.anchorProof(indexOf(story, 'push:intent')));
export const headText = (files: Files) => textIn(files, members.proof(0));
export const memberOf = (text: string) => members.timestamp(toHex(sha256(utf8(text))));
export const outcomeTime = (story: Story, laterMs = 0) =>
  Date.parse(JSON.parse(fromUtf8(story.said.get('push:intent')?.envelope.payload ?? utf8('{}'))).predicate.time) +
  laterMs;

export const breakIt = ({ signature }: { readonly signature: Uint8Array }) => {
  signature[signature.length - 1] = (signature.at(-1) ?? 0) ^ 1;
};

interface Stamped {
  readonly by?: TimestampAuthority;
  /** After the intent's own time. */
  readonly laterMs?: number;
}

/** Stamps the checkpoint that the push's outcome names. */
export function stamped({ by = tsa, laterMs = 2000 }: Stamped = {}): Bend {
  return {
    files(files, story) {
      const text = anchorText(files, story);
      files.set(memberOf(text), by.stamp(utf8(text), outcomeTime(story, laterMs)));
    },
  };
}

/** Stamps the checkpoint that covers every statement. */
export const stampedHead: Bend = {
  files(files, story) {
    const text = headText(files);
    files.set(memberOf(text), tsa.stamp(utf8(text), story.log.nowMs));
  },
};
