import { at, type BentCases, inHeader } from '../../support/bends.ts';
import { digestOf } from '../../support/props.ts';

export const series: BentCases = {
  'prev of another statement': {
    bend: inHeader('write:outcome', 'prev', digestOf('another')),
    check: 'series',
    says: /prev is not the statement before/,
  },
  'a first statement with a predecessor': {
    bend: inHeader('opened', 'prev', digestOf('another')),
    check: 'series',
    says: /first of a series/,
  },
  'a first after that does not follow task-opened': {
    bend: inHeader('confirmed', 'prev', '0'.repeat(64)),
    check: 'series',
    says: /first of a series/,
  },
  'two statements with one number': {
    bend: inHeader('write:outcome', 'seq', 3),
    check: 'series',
    says: /second statement with this number/,
  },
  'another head than the export states': {
    bend: at('exported', (draft) => {
      const heads = draft.body.heads as { series: string; digest: string }[];
      draft.body.heads = heads.map((head) => (head.series === 'tools' ? { ...head, digest: digestOf('x') } : head));
    }),
    check: 'series',
    says: /another head/,
  },
  'an export that is not the newest of its series': {
    bend: {
      draft(draft) {
        if (draft.step === 'exported') draft.header.after = 1;
      },
    },
    check: 'series',
    says: /second statement|not the newest/,
  },
  'a statement of another origin': {
    bend: inHeader('write:outcome', 'origin', 'example.org/log'),
    check: 'statements',
    says: /another origin/,
  },
};
