import { utf8 } from '../../../src/encoding.ts';
import { actors } from '../../support/actors.ts';
import type { BentCases } from '../../support/bends.ts';

export const proofs: BentCases = {
  "a checkpoint without one of the log's signatures": {
    bend: { logKeys: actors.logs.slice(0, 1) },
    check: 'proofs',
    says: /not signed by the log's keys/,
  },
  'the proof of another entry': {
    bend: {
      files(files) {
        const other = files.get('proofs/000000000003.tlog-proof') ?? utf8('');
        files.set('proofs/000000000004.tlog-proof', other);
      },
    },
    check: 'proofs',
    says: /proof is for log index 3/,
  },
  'a proof under an older checkpoint': {
    bend: {
      files(files, { log }) {
        files.set('proofs/000000000003.tlog-proof', log.proof(3, log.checkpoint(20)));
      },
    },
    check: 'proofs',
    says: /another checkpoint/,
  },
  'statements at each other’s places': {
    bend: {
      files(files) {
        const [a, b] = ['statements/000000000016.json', 'statements/000000000018.json'];
        const [first, second] = [files.get(a), files.get(b)];
        if (first && second) files.set(a, second).set(b, first);
      },
    },
    check: 'proofs',
    says: /not in the tree/,
  },
  'an envelope in another form': {
    bend: {
      files(files) {
        const text = new TextDecoder().decode(files.get('statements/000000000016.json'));
        files.set('statements/000000000016.json', utf8(text.replace('{"payload"', '{ "payload"')));
      },
    },
    check: 'statements',
    says: /not a DSSE envelope/,
  },
};
