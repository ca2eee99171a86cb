import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { toBase64 } from '../../src/encoding.ts';
import { DeedError } from '../../src/errors.ts';
import { formatCheckpoint, parseCheckpoint } from '../../src/log/checkpoint.ts';
import { noteVerifier, signatureTimestamp, signNote, verifyNoteSignature } from '../../src/log/cosignature.ts';
import { emptyRoot } from '../../src/log/merkle.ts';
import {
  formatNote,
  formatSignatureLine,
  formatVkey,
  maxNoteSignatures,
  type NoteKeyType,
  parseNote,
  parseVkey,
  verifyNote,
} from '../../src/log/note.ts';
import { testKey } from './keys.ts';

const code = (run: () => unknown) => {
  try {
    run();
  } catch (error) {
    return error instanceof DeedError ? error.code : error;
  }
  return 'nothing thrown';
};
const checkpoint = { origin: 'log.example/a', size: 7, root: emptyRoot() };
const text = formatCheckpoint(checkpoint);
const types: readonly NoteKeyType[] = [1, 4, 6];

describe('a signed note', () => {
  test.each(types)('with a key of type %i verifies, and not after any change', (type) => {
    const { key, sign } = testKey('log.example/a', type);
    const line = signNote(key, text, 1_700_000_000, sign);
    expect(parseVkey(formatVkey(key))).toEqual(key);
    const note = parseNote(formatNote({ text, signatures: [line] }));
    expect(verifyNote(note, [noteVerifier(key)]).map(formatSignatureLine)).toEqual([formatSignatureLine(line)]);
    expect(signatureTimestamp(key, line.signature)).toBe(type === 1 ? undefined : 1_700_000_000);
    expect(verifyNoteSignature(key, text.replace('7', '8'), line.signature)).toBe(false);
    for (const at of [0, 7, 8, line.signature.length - 1]) {
      const changed = Uint8Array.from(line.signature, (byte, i) => (i === at ? byte ^ 1 : byte));
      expect(verifyNoteSignature(key, text, changed)).toBe(false);
    }
  });

  test('ignores lines of unknown keys and refuses a bad line of a known one', () => {
    const known = testKey('known.example', 1);
    const other = testKey('other.example', 4);
    const good = signNote(known.key, text, 0, known.sign);
    const foreign = signNote(other.key, text, 5, other.sign);
    const note = { text, signatures: [foreign, good] };
    expect(verifyNote(note, [noteVerifier(known.key)])).toEqual([good]);
    const bad = { ...good, signature: new Uint8Array(64) };
    expect(code(() => verifyNote({ text, signatures: [good, bad] }, [noteVerifier(known.key)]))).toBe('signature');
  });

  test('is refused in any other form', () => {
    const { key, sign } = testKey('log.example/a', 1);
    const whole = formatNote({ text, signatures: [signNote(key, text, 0, sign)] });
    const changes: Record<string, string> = {
      'no final newline': whole.slice(0, -1),
      'no signatures': `${text}\n`,
      'carriage return': whole.replace('\n', '\r\n'),
      'control character': whole.replace('7', '\u0007'),
      'other dash': whole.replace('—', '-'),
      'two spaces': whole.replace('— log', '—  log'),
      'plus in the name': whole.replace('— log', '— l+g'),
      'space in the name': whole.replace('— log.example/a', '— log.ex\u00a0ample/a'),
      'trailing text': `${whole}more\n`,
      'base64 without padding': whole.replace('=\n', '\n').replace('=\n', '\n'),
      'lone surrogate': whole.replace('log', '\ud800'),
    };
    for (const [name, changed] of Object.entries(changes)) {
      if (changed === whole) continue;
      expect(
        code(() => parseCheckpoint(parseNote(changed).text)),
        name,
      ).toMatch(/^(note|encoding)$/);
    }
    const line = whole.slice(whole.indexOf('—'));
    expect(code(() => parseNote(`${text}\n${line.repeat(maxNoteSignatures + 1)}`))).toBe('limit');
    expect(code(() => parseNote(`${'x'.repeat(1024 * 1024)}\n\n${line}`))).toBe('limit');
  });

  test('never makes its parser fail in an unplanned way', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(code(() => parseNote(bytes))).toMatch(/^(note|encoding|nothing thrown)$/);
      }),
    );
  });
});

describe('a vkey', () => {
  test('is refused with another key ID, another type or another length', () => {
    const vkey = formatVkey(testKey('log.example/a', 1).key);
    const [name, id, body] = vkey.split('+', 2).concat(vkey.split('+').slice(2).join('+')) as [string, string, string];
    const bytes = Buffer.from(body, 'base64');
    expect(code(() => parseVkey(`${name}+00000000+${body}`))).toBe('key');
    expect(code(() => parseVkey(`other+${id}+${body}`))).toBe('key');
    expect(code(() => parseVkey(`${name}+${id}+${toBase64(Buffer.concat([Buffer.of(2), bytes.subarray(1)]))}`))).toBe(
      'key',
    );
    expect(code(() => parseVkey(`${name}+${id}+${toBase64(Buffer.concat([bytes, Buffer.of(0)]))}`))).toBe('key');
    expect(code(() => parseVkey(`${name}+${id}+${body.slice(0, -1)}`))).toBe('key');
    expect(code(() => parseVkey('nonsense'))).toBe('key');
  });
});

describe('a checkpoint', () => {
  test('has exactly three lines in one spelling', () => {
    expect(parseCheckpoint(text)).toEqual(checkpoint);
    const [origin, size, root] = text.split('\n') as [string, string, string];
    for (const changed of [
      `${text}extension\n`,
      `${origin}\n0${size}\n${root}\n`,
      `${origin}\n+7\n${root}\n`,
      `${origin}\n9007199254740992\n${root}\n`,
      `${origin}\n${size}\n${root.slice(0, -1)}\n`,
      `${origin}\n${size}\n${root.slice(0, -2)}W=\n`,
      `\n${size}\n${root}\n`,
      text.slice(0, -1),
    ]) {
      expect(
        code(() => parseCheckpoint(changed)),
        changed,
      ).toBe('note');
    }
  });
});
