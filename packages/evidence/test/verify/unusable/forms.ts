import { deflateRawSync } from 'node:zlib';
import { utf8 } from '../../../src/encoding.ts';
import { actors } from '../../support/actors.ts';
import { makeCase, pack } from '../../support/case-maker.ts';
import { zip } from '../../support/zip.ts';

/** Short, for the form does not depend on what a case tells. */
export const honest = makeCase({ logs: actors.logs.slice(0, 1), parts: ['write'] });
const entries = [...honest.members].map(([name, data]) => ({ name, data }));
export const sorted = entries.toSorted((a, b) => (a.name < b.name ? -1 : 1));
const caseJson = new TextDecoder().decode(honest.members.get('case.json'));
const withCaseJson = (text: string) => pack(new Map(honest.members).set('case.json', utf8(text)));
const huge = new Uint8Array(1 << 20);

export const unusable: Readonly<Record<string, () => Uint8Array>> = {
  'an empty file': () => new Uint8Array(),
  'a zip without members': () => zip([]),
  'a file that is no zip': () => utf8('Dear auditor, everything is fine. '.repeat(10)),
  'half a case': () => honest.file.subarray(0, honest.file.length / 2),
  'a case without its last byte': () => honest.file.subarray(0, -1),
  'bytes before the case': () => new Uint8Array([0x23, 0x21, ...honest.file]),
  'bytes after the case': () => new Uint8Array([...honest.file, 0]),
  'a zip with a comment': () => zip(sorted, { comment: 'hello' }),
  'another date in the headers': () => zip(sorted, { date: 34 }),
  'another version in the headers': () => zip(sorted, { version: 10 }),
  'flags in the headers': () => zip(sorted, { flags: 0x0800 }),
  'extra fields': () => zip(sorted.map((entry) => ({ ...entry, extra: utf8('extra!!!') }))),
  'members in another order': () => zip(sorted.toReversed()),
  'a compressed member': () =>
    zip(sorted.map((entry, i) => (i === 0 ? { ...entry, method: 8, stored: deflateRawSync(entry.data) } : entry))),
  'two members of one name': () => zip(sorted.flatMap((entry, i) => (i === 1 ? [entry, entry] : [entry]))),
  'a folder': () => zip([...sorted, { name: 'zfolder/', data: new Uint8Array() }]),
  'a member that points out of the case': () => zip([{ name: '../case.json', data: utf8('{}') }, ...sorted]),
  'a member with an absolute name': () => zip([{ name: '/etc/passwd', data: utf8('x') }, ...sorted]),
  'a member that is not listed': () => pack(new Map(honest.members).set(`payloads/${'0'.repeat(64)}`, utf8('x'))),
  'a member of an unknown kind': () => pack(new Map(honest.members).set('notes.txt', utf8('trust me'))),
  'no case.json': () => pack(new Map([...honest.members].filter(([name]) => name !== 'case.json'))),
  'a case.json with a duplicate key': () => withCaseJson(caseJson.replace('{"v":1,', '{"v":1,"v":1,')),
  'a case.json in another form': () => withCaseJson(caseJson.replace('{', '{ ')),
  'a newer version': () => withCaseJson(caseJson.replace('"v":1', '"v":2')),
  'a case.json that is not JSON': () => withCaseJson('case'),
  'a bomb: members that claim the same bytes': () =>
    zip(
      Array.from({ length: 2000 }, (_, i) => ({ name: `bomb${String(i).padStart(4, '0')}`, data: huge })),
      { overlap: true },
    ),
  'a bomb: a member that claims to be larger than the file': () =>
    zip([{ name: 'case.json', data: utf8('{}'), claims: 0xfffffff0 }]),
};
