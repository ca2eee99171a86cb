import { expect, test } from 'vitest';
import { stderrLines } from '../../src/tools/stderr.ts';

function shown(variables: Readonly<Record<string, string>>, ...chunks: readonly string[]): readonly string[] {
  const lines: string[] = [];
  const take = stderrLines(variables, (line) => lines.push(Buffer.from(line).toString()));
  for (const chunk of chunks) take(Buffer.from(chunk));
  return lines;
}

test('a value that comes in pieces, or in the form of an address, is not shown', () => {
  const dsn = { PASSWORD: 'a/b+c=d&e' };
  expect(shown(dsn, 'opening a/b+', 'c=d&e now\npostgres://u:a%2Fb%2Bc%3Dd%26e@h\n')).toEqual([
    'opening [PASSWORD] now',
    'postgres://u:[PASSWORD]@h',
  ]);
});

test('of two values of which one holds the other neither is shown, and a value that looks like a pattern is one text', () => {
  const both = { SHORT: '12345678', LONG: '$&12345678$&' };
  expect(shown(both, '$&12345678$& and 12345678\n')).toEqual(['[LONG] and [SHORT]']);
});

test('the folder that everything lies in stays readable', () => {
  expect(shown({ HOME: '/srv/somebody' }, 'reading /srv/somebody/notes\n')).toEqual(['reading /srv/somebody/notes']);
});

test('a line without end is left out, and said to be', () => {
  expect(shown({}, 'a'.repeat(70_000), 'b\nnext\n')).toEqual(['deed: a line above 65536 bytes was left out', 'next']);
});
