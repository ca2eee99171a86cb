import { utf8 } from '../../../src/encoding.ts';
import { nowMs } from '../../support/case-maker.ts';
import type { Files } from '../../support/log-maker.ts';
import type { Bend, Story } from '../../support/story.ts';
import { anchorText, breakIt, headText, memberOf, stamped, stranger, tsa } from './stamps.ts';

const put = (make: (text: string, files: Files, story: Story) => Uint8Array): Bend => ({
  files(files, story) {
    const text = anchorText(files, story);
    files.set(memberOf(text), make(text, files, story));
  },
});
export const forgedStamps: Readonly<Record<string, readonly [Bend, RegExp]>> = {
  'was made for another checkpoint': [
    put((_, files, story) => tsa.stamp(utf8(headText(files)), story.log.nowMs)),
    /stamps other bytes/,
  ],
  'has a broken signature': [
    put((text, _, story) => tsa.stamp(utf8(text), story.log.nowMs, { signed: breakIt })),
    /does not verify/,
  ],
  'is garbage': [put(() => utf8('a timestamp')), /timestamps\/[0-9a-f]{64}\.tsr: /],
  'is by nobody that counts and broken all the same': [
    put((text, _, story) => stranger.stamp(utf8(text), story.log.nowMs, { signed: breakIt })),
    /does not verify/,
  ],
  'is older than a statement under it says it is': [
    stamped({ laterMs: -62_000 }),
    /intent .* says it was written at .*, and was timestamped at .* already/,
  ],
  'is newer than the export that lists it': [stamped({ laterMs: 200_000 }), /after the export of .* that lists it/],
};

export const absentStamps: typeof forgedStamps = {
  'stamps a checkpoint that is absent': [
    {
      files(files, story) {
        stamped().files?.(files, story);
        files.set(memberOf('nothing'), tsa.stamp(utf8('nothing'), nowMs));
      },
    },
    /not here|absent/,
  ],
};
