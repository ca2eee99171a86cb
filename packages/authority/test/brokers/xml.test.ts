import { expect, test } from 'vitest';
import { parseXml } from '../../src/brokers/xml.ts';
import { refused } from '../refused.ts';

const ns = 'urn:x';
const only = (text: string, path = 'A/B') => parseXml(text, ns).only(path);

test('the text of the one element at a path, with the five entities', () => {
  expect(only('<?xml version="1.0" encoding="UTF-8"?>\n<A xmlns="urn:x">\n <B>a &lt;&amp;&gt; b</B><C/>\n</A>\n')).toBe(
    'a <&> b',
  );
  expect(only('<A xmlns="urn:x"><B/></A>')).toBe('');
});

test.each([
  ['another namespace', '<A xmlns="urn:y"><B>1</B></A>'],
  ['no namespace', '<A><B>1</B></A>'],
  ['two of it', '<A xmlns="urn:x"><B>1</B><B>2</B></A>'],
  ['none of it', '<A xmlns="urn:x"><C>1</C></A>'],
  ['two documents', '<A xmlns="urn:x"><B>1</B></A><A xmlns="urn:x"/>'],
  ['another attribute', '<A xmlns="urn:x"><B b="1">1</B></A>'],
  ['a DTD', '<!DOCTYPE A [<!ENTITY e "1">]><A xmlns="urn:x"><B>&e;</B></A>'],
  ['another entity', '<A xmlns="urn:x"><B>&e;</B></A>'],
  ['a character reference', '<A xmlns="urn:x"><B>&#65;</B></A>'],
  ['a comment', '<A xmlns="urn:x"><B>1<!-- --></B></A>'],
  ['CDATA', '<A xmlns="urn:x"><B><![CDATA[1]]></B></A>'],
  ['crossed elements', '<A xmlns="urn:x"><B>1</A></B>'],
  ['an end in the middle', '<A xmlns="urn:x"><B>1</B>'],
  ['nothing', ''],
  ['text outside', 'x<A xmlns="urn:x"><B>1</B></A>'],
  ['a page', '<html><body>502</body></html>'],
])('%s is refused', async (_what, text) => {
  expect(await refused(async () => only(text))).toBe('broker');
});
