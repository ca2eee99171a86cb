import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { randomOf, seed } from '../../../tests/random.ts';
import { openContainer } from '../src/case/container.ts';
import { decodeEnvelope, encodeEnvelope } from '../src/dsse.ts';
import { equalBytes, fromUtf8, toHex, utf8 } from '../src/encoding.ts';
import { DeedError } from '../src/errors.ts';
import { parseStrictJson } from '../src/json.ts';
import { formatCheckpoint, parseCheckpoint } from '../src/log/checkpoint.ts';
import { noteVerifier, signNote } from '../src/log/cosignature.ts';
import { inclusionProof, leafHash, rootFromLeaves } from '../src/log/merkle.ts';
import {
  formatNote,
  formatSignatureLine,
  formatVkey,
  parseNote,
  parseSignatureLine,
  parseVkey,
  verifyNote,
} from '../src/log/note.ts';
import { formatTlogProof, parseTlogProof } from '../src/log/tlog-proof.ts';
import { formatTrust, parseTrust } from '../src/log/trust.ts';
import { parseStatement } from '../src/statement.ts';
import { verify } from '../src/verify/verify.ts';
import { testKey } from './log/keys.ts';
import { makeCase, nowMs, pack, trust, trustText } from './support/case-maker.ts';
import { mutatorOf } from './support/mutate.ts';

vi.setConfig({ testTimeout: process.env.SLOW ? 6 * 3_600_000 : 1_800_000 });

const inputs = process.env.SLOW ? 1_000_000 : 10_000;
/** A whole verification takes about 50 ms. */
const repacked = process.env.SLOW ? 50_000 : 1000;

const honest = makeCase();
const membersOf = (prefix: string) => [...honest.members].filter(([name]) => name.startsWith(prefix)).map(([, b]) => b);
const keys = [testKey('log.example/a', 1), testKey('witness.example/w', 4), testKey('log.example/a', 6)];
const leaves = Array.from({ length: 700 }, (_, i) => leafHash(utf8(`${i}`)));
const noteOf = (size: number) => {
  const text = formatCheckpoint({ origin: 'log.example/a', size, root: rootFromLeaves(leaves.slice(0, size)) });
  return formatNote({ text, signatures: keys.map(({ key, sign }) => signNote(key, text, 1_790_000_000 + size, sign)) });
};
const notes = [noteOf(5), noteOf(700)];
const examples = join(import.meta.dirname, '../../../docs/formats/examples');

interface Kind {
  readonly seeds: readonly Uint8Array[];
  /** Reads the input and says what it was read as, in the input's own bytes. Throws DeedError where it refuses. */
  readonly read: (bytes: Uint8Array) => Uint8Array;
}

const textual = (seeds: readonly string[], read: (text: string) => string): Kind => ({
  seeds: seeds.map(utf8),
  read: (bytes) => utf8(read(fromUtf8(bytes))),
});

const kinds: Readonly<Record<string, Kind>> = {
  note: { seeds: notes.map(utf8), read: (bytes) => utf8(formatNote(parseNote(bytes))) },
  checkpoint: textual(
    notes.map((note) => parseNote(note).text),
    (text) => formatCheckpoint(parseCheckpoint(text)),
  ),
  'cosignature line': textual(
    notes.flatMap((note) => parseNote(note).signatures.map(formatSignatureLine)),
    (text) => {
      if (!text.endsWith('\n')) throw new DeedError('note', 'a line ends with its newline');
      return formatSignatureLine(parseSignatureLine(text.slice(0, -1)));
    },
  ),
  vkey: textual(
    keys.map(({ key }) => formatVkey(key)),
    (text) => formatVkey(parseVkey(text)),
  ),
  'tlog-proof': textual(
    [3, 256, 699].map((index) =>
      formatTlogProof({ index, proof: inclusionProof(leaves, index), checkpoint: noteOf(700) }),
    ),
    (text) => formatTlogProof(parseTlogProof(text)),
  ),
  'DSSE envelope': { seeds: membersOf('statements/'), read: (bytes) => encodeEnvelope(decodeEnvelope(bytes)) },
  statement: {
    seeds: membersOf('statements/').map((bytes) => decodeEnvelope(bytes).payload),
    // A statement is never written again: its bytes are what counts.
    read: (bytes) => {
      parseStatement(bytes);
      return bytes;
    },
  },
  JSON: {
    seeds: readdirSync(examples).map((name) => readFileSync(join(examples, name))),
    read: (bytes) => {
      const { value, text } = parseStrictJson(bytes);
      // Whatever is accepted means the same to every other reader.
      expect(value).toEqual(JSON.parse(text));
      return utf8(text);
    },
  },
  'trust file': {
    // Spaces and comments are free here, so what counts is that it is read the same again.
    seeds: [utf8(trustText), ...membersOf('trust/')],
    read: (bytes) => {
      const read = parseTrust(fromUtf8(bytes));
      expect(parseTrust(formatTrust(read))).toEqual(read);
      return bytes;
    },
  },
  container: {
    seeds: [
      pack(new Map([...honest.members].filter(([, bytes]) => bytes.length < 700).slice(0, 6))),
      pack(new Map([['case.json', utf8('{}')]])),
      pack(new Map()),
    ],
    read: (bytes) => pack(openContainer(bytes)),
  },
};

/** Runs the kind's inputs and counts what became of them. */
function fuzz(name: string, { seeds, read }: Kind, random: () => number) {
  const mutate = mutatorOf(random);
  const timeOf = (bytes: Uint8Array) => {
    const from = performance.now();
    read(bytes);
    return performance.now() - from;
  };
  for (const valid of seeds) expect(toHex(read(valid)), `${name}: a valid input`).toBe(toHex(valid));
  const validMs = Math.max(...seeds.map((valid) => Math.min(...Array.from({ length: 5 }, () => timeOf(valid)))));
  const counts = { accepted: 0, refused: 0, unchanged: 0 };
  for (let i = 0; i < inputs; i++) {
    const bytes = mutate(seeds);
    const from = performance.now();
    try {
      if (!equalBytes(read(bytes), bytes)) throw new Error('it was read as something else than it is');
      if (seeds.some((valid) => equalBytes(valid, bytes))) counts.unchanged++;
      else counts.accepted++;
    } catch (error) {
      if (!(error instanceof DeedError) || !/^[a-z-]+$/.test(error.code)) {
        throw new Error(`${name}, seed ${seed}, input ${i}: ${Buffer.from(bytes).toString('base64')}`, {
          cause: error,
        });
      }
      counts.refused++;
    }
    const tookMs = performance.now() - from;
    if (process.env.SLOW) expect(tookMs, `${name}, seed ${seed}, input ${i}`).toBeLessThan(1000 + 1000 * validMs);
  }
  return counts;
}

describe('untrusted bytes', () => {
  for (const [name, kind] of Object.entries(kinds)) {
    test(`${name}: read in the one form or refused with a code`, () => {
      const counts = fuzz(name, kind, randomOf(seed));
      console.log(`fuzz ${name}: ${inputs} inputs (seed ${seed}), ${JSON.stringify(counts)}`);
      expect(counts.refused).toBeGreaterThan(inputs / 4);
    });
  }

  test('cosignature: no changed note carries a signature of a known key', () => {
    const random = randomOf(seed);
    const mutate = mutatorOf(random);
    const verifiers = keys.map(({ key }) => noteVerifier(key));
    const originals = new Set(notes.map((note) => parseNote(note).text));
    let verified = 0;
    for (let i = 0; i < inputs; i++) {
      // Mostly the text or one line is changed; the rest of the note stands.
      const bytes = mutate(notes.map(utf8));
      try {
        const note = parseNote(bytes);
        if (verifyNote(note, verifiers).length === 0) continue;
        verified++;
        expect(originals.has(note.text), `seed ${seed}, input ${i}: ${Buffer.from(bytes).toString('base64')}`).toBe(
          true,
        );
      } catch (error) {
        if (!(error instanceof DeedError)) throw error;
      }
    }
    console.log(`fuzz cosignature: ${inputs} inputs (seed ${seed}), ${verified} with the text unchanged`);
    expect(verified).toBeGreaterThan(0);
  });

  test('case: never VERIFIED and never a failure of the verifier when its bytes are changed', () => {
    const mutate = mutatorOf(randomOf(seed));
    const whole = pack(honest.members);
    expect(verify(whole, { trust, nowMs }).code).toBe(0);
    const codes = new Map<number, number>();
    for (let i = 0; i < inputs; i++) {
      const bytes = mutate([whole]);
      if (equalBytes(bytes, whole)) continue;
      const { code } = verify(bytes, { trust, nowMs });
      expect(code, `seed ${seed}, input ${i}`).toBe(2);
      codes.set(code, (codes.get(code) ?? 0) + 1);
    }
    console.log(`fuzz case, bytes: ${inputs} inputs (seed ${seed}), ${JSON.stringify(Object.fromEntries(codes))}`);
  });

  test('case: never VERIFIED and never a failure of the verifier when its members are changed and packed again', () => {
    const random = randomOf(seed);
    const mutate = mutatorOf(random);
    const names = [...honest.members.keys()];
    const all = [...honest.members.values()];
    const codes = new Map<number, number>();
    for (let i = 0; i < repacked; i++) {
      const files = new Map(honest.members);
      const name = names[Math.floor(random() * names.length)] ?? '';
      const before = honest.members.get(name) ?? new Uint8Array();
      const how = random();
      if (how < 0.05) files.delete(name);
      else if (how < 0.1) files.set(name, all[Math.floor(random() * all.length)] ?? before);
      else files.set(name, mutate([before]));
      if (equalBytes(files.get(name) ?? new Uint8Array(), before)) continue;
      const { code } = verify(pack(files), { trust, nowMs });
      expect(code, `seed ${seed}, input ${i}, ${name}`).toBeGreaterThan(1);
      codes.set(code, (codes.get(code) ?? 0) + 1);
    }
    console.log(`fuzz case, members: ${repacked} inputs (seed ${seed}), ${JSON.stringify(Object.fromEntries(codes))}`);
    expect(codes.size).toBeGreaterThan(1);
  });
});
