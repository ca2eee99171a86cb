import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { formatVkey, meetsQuorum, noteKey, parseTrust, sha256, utf8 } from '@deed/evidence';
import { lockFolder } from '@deed/store';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Config, readConfig, writeConfig } from '../src/config.ts';
import { changeStopped, quorumInWords } from '../src/index.ts';
import { trustFileOf } from '../src/trust-file.ts';
import { type WitnessChange, withChange } from '../src/witness-config.ts';

let dir: string;
let config: Config;
const vkey = (name: string, type: 1 | 4 | 6 = 4) =>
  formatVkey(noteKey(name, type, new Uint8Array(type === 6 ? 1312 : 32).fill(sha256(utf8(name))[0] ?? 0)));
/** As the first version wrote it. */
const old = {
  v: 1,
  origin: 'log.example/test',
  witness: { name: 'local', state: '/srv/witness', vkey: vkey('log.example/test/witness') },
  forges: [],
};
const witnessAt = (name: string, more: object = {}) => ({
  name,
  vkey: vkey(`${name.replace(' ', '-')}.example`),
  url: `https://${name}.example/log`,
  ...more,
});
const add = (name: string, more: object = {}): WitnessChange => ({ change: 'add', witness: witnessAt(name, more) });
const rule = (...words: string[]): WitnessChange => ({ change: 'quorum', rule: words });
const changed = (...changes: WitnessChange[]) => changes.reduce(withChange, config);
const code = (run: () => unknown) => {
  try {
    run();
  } catch (error) {
    return (error as { code?: string }).code;
  }
};

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'deed-config-'));
  writeFileSync(join(dir, 'config.json'), JSON.stringify(old));
  config = readConfig(dir);
});
afterEach(() => rmSync(dir, { recursive: true }));

test('a configuration from before other witnesses could be named reads as one with the local witness alone', () => {
  expect(config).toEqual({
    ...old,
    ...{ witnesses: [], groups: [], quorum: 'local', attest: 'open', brokers: [], models: [] },
    ...{ publishIntervalMs: 250, witnessTimeoutMs: 1000, recosignMinutes: 10 },
  });
  writeConfig(dir, config);
  expect(readConfig(dir)).toEqual(config);
});

test.each([
  ['all', 'all of local, acme, beta', [['local', 'acme', 'beta']], [['local', 'acme']]],
  ['any', 'any of local, acme, beta', [['beta']], [[]]],
  ['2', '2 of local, acme, beta', [['local', 'beta']], [['acme']]],
  ['acme', 'acme', [['acme']], [['local', 'beta']]],
  ['all of acme beta', 'all of acme, beta', [['acme', 'beta']], [['local', 'acme']]],
  ['1 of acme beta', 'any of acme, beta', [['beta']], [['local']]],
])('the quorum "%s" means %s, in the trust file too', (words, said, enough, tooFew) => {
  const next = changed(add('acme'), add('beta'), rule(...words.split(' ')));
  expect(quorumInWords(next)).toBe(said);
  writeConfig(dir, next);
  const trust = parseTrust(trustFileOf(new Map(), readConfig(dir)));
  expect(trust.witnesses.map(({ name, url }) => [name, url])).toEqual([
    ['local', undefined],
    ['acme', 'https://acme.example/log'],
    ['beta', 'https://beta.example/log'],
  ]);
  for (const names of enough) expect(meetsQuorum(trust, new Set(names)), `${names}`).toBe(true);
  for (const names of tooFew) expect(meetsQuorum(trust, new Set(names)), `${names}`).toBe(false);
});

test('groups of groups, written into the file by hand, are read and said in words', () => {
  const groups = [
    { name: 'others', threshold: 1, members: ['acme', 'beta'] },
    { name: 'both', threshold: 2, members: ['local', 'others'] },
  ];
  writeConfig(dir, { ...changed(add('acme'), add('beta')), groups, quorum: 'both' });
  expect(quorumInWords(readConfig(dir))).toBe('all of local, (any of acme, beta)');
});

test('a witness that the quorum needs stays, and one that it does not need goes', () => {
  expect(code(() => changed(add('acme'), rule('all'), { change: 'remove', name: 'acme' }))).toBe('config');
  const after = changed(add('acme'), rule('all'), rule('local'), { change: 'remove', name: 'acme' });
  expect(after.witnesses).toEqual([]);
  expect(code(() => changed({ change: 'remove', name: 'local' }))).toBe('config');
  expect(code(() => changed({ change: 'remove', name: 'nobody' }))).toBe('config');
});

test.each<[string, readonly WitnessChange[]]>([
  ['a name that is taken', [add('acme'), add('acme')]],
  ['a name that means something else', [add('all')]],
  ['a quorum of nobody', [rule('none')]],
  ['a quorum of 0', [rule('0')]],
  ['a quorum of more than there are', [rule('2')]],
  ['a quorum of half a witness', [rule('0.5')]],
  ['a quorum with somebody unknown', [rule('any', 'of', 'acme')]],
  ['a quorum of no names', [rule('any', 'of')]],
  ['a quorum with one name twice', [add('acme'), rule('2', 'of', 'acme', 'acme')]],
  ['a quorum in other words', [rule('most', 'of', 'local')]],
  ['a name with a space', [add('ac me')]],
  ['a key of a log', [add('acme', { vkey: vkey('acme.example', 1) })]],
  ['no key', [add('acme', { vkey: 'acme' })]],
  ['the key of another witness', [add('acme', { vkey: old.witness.vkey })]],
  ['a file for a URL', [add('acme', { url: 'file:///srv/witness' })]],
  ['data for a URL', [add('acme', { url: 'data:text/plain,x' })]],
  ['a URL with a password', [add('acme', { url: 'https://user:secret@acme.example/' })]],
  ['a URL with a query', [add('acme', { url: 'https://acme.example/?a=b' })]],
])('%s is refused, and the file stays as it was', (_, changes) => {
  const before = readFileSync(join(dir, 'config.json'), 'utf8');
  expect(code(() => writeConfig(dir, changed(...changes)))).toBe('config');
  expect(readFileSync(join(dir, 'config.json'), 'utf8')).toBe(before);
});

test.each([
  ['publishIntervalMs', 9],
  ['publishIntervalMs', 60_001],
  ['publishIntervalMs', 250.5],
  ['witnessTimeoutMs', 0],
  ['recosignMinutes', 0],
  ['recosignMinutes', 1441],
  ['attest', 'ajar'],
  ['quorum', 'nobody'],
  ['unknown', 1],
])('a file with %s %s is refused', (name, value) => {
  writeFileSync(join(dir, 'config.json'), JSON.stringify({ ...old, [name]: value }));
  expect(code(() => readConfig(dir))).toBe('config');
});

test('without a server the file is changed, and not while one runs', () => {
  expect(changeStopped(dir, add('acme')).witnesses).toHaveLength(1);
  expect(readConfig(dir).witnesses).toEqual([witnessAt('acme')]);
  const lock = lockFolder(dir);
  expect(code(() => changeStopped(dir, { change: 'attest', attest: 'closed' }))).toBe('locked');
  lock.release();
  expect(readConfig(dir).attest).toBe('open');
});
