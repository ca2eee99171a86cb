import { utf8 } from '../../../src/encoding.ts';
import { type BentCases, set } from '../../support/bends.ts';

export const payloads: BentCases = {
  'a payload that is not what was named': {
    bend: {
      files(files, story) {
        const object = `payloads/${story.records.get('write')?.sha256}`;
        files.set(object, utf8('sixteen bytes ok and other contents'));
      },
    },
    check: 'payloads',
    says: /does not hash to its name/,
  },
  'a payload of another size': {
    bend: set('write:outcome', 'result.size', 1),
    check: 'payloads',
    says: /another size/,
  },
};
