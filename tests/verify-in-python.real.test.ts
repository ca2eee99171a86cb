import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, describe, expect, test } from 'vitest';
import { ran } from '../packages/server/test/support/foreign.ts';

/** The verifier of examples/verify-in-python, which shares no line with ours, over the vectors that ours has judged. */
const root = resolve(import.meta.dirname, '..');
const folder = join(root, 'examples/verify-in-python');
const vectors = join(root, 'vectors');
const base = mkdtempSync(join(tmpdir(), 'deed-python-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));

interface Vector {
  readonly kind: string;
  /** Gzip, base64. */
  readonly file: string;
  readonly trust: string | null;
  readonly nowMs: number;
  readonly expected: { readonly verdict: string; readonly code: number };
}

const python = join(base, 'venv/bin/python');
const absent = await environment();
if (absent !== null) console.warn(`SKIPPED: the verifier in Python cannot run here (${absent})`);

/** Makes a virtual environment with exactly the packages of requirements.txt; says why not where the machine cannot. */
async function environment(): Promise<string | null> {
  const version = await ran('python3', ['-c', 'import sys; print(sys.version_info >= (3, 11))']).catch(() => null);
  if (version?.text.trim() !== 'True') return 'no python3 of version 3.11 or newer';
  const made = await ran('python3', ['-m', 'venv', join(base, 'venv')]);
  if (made.code !== 0) return made.text.trim();
  const how = ['--quiet', '--disable-pip-version-check', '--only-binary', ':all:', '--require-hashes'];
  const pip = await ran(python, ['-m', 'pip', 'install', ...how, '-r', join(folder, 'requirements.txt')]);
  return pip.code === 0 ? null : (pip.text.trim().split('\n').at(-1) ?? '');
}

/** Vectors with delegation or workload tokens: it does not have these rules, and says so. May only fall. */
const notJudged = 86;

const verify = (...args: readonly string[]) => ran(python, [join(folder, 'verify.py'), ...args]);
const read = (path: string) => JSON.parse(readFileSync(path, 'utf8')) as Vector;

function vectorFiles(): string[] {
  const names = existsSync(vectors) ? readdirSync(vectors, { recursive: true, encoding: 'utf8' }) : [];
  return names
    .filter((name) => name.endsWith('.json'))
    .sort()
    .map((name) => join(vectors, name));
}

describe.skipIf(absent !== null)('a verifier written from docs/formats alone', () => {
  test('agrees on every vector that it judges, in verdict and exit code, and says of how many it does not', async () => {
    const count = vectorFiles().length;
    expect(count).toBeGreaterThanOrEqual(150);
    const text = `${count} vectors, 0 disagreements, ${notJudged} not judged\n`;
    expect(await verify('--vectors', vectors)).toEqual({ code: 0, text });
  });

  test('says so where it does not agree', async () => {
    const [path = ''] = vectorFiles();
    const vector = read(path);
    mkdirSync(join(base, 'wrong'));
    const expected = { ...vector.expected, verdict: vector.expected.verdict === 'FORGED' ? 'VERIFIED' : 'FORGED' };
    writeFileSync(join(base, 'wrong', 'one.json'), JSON.stringify({ ...vector, expected }));
    const { code, text } = await verify('--vectors', join(base, 'wrong'));
    expect(code).toBe(1);
    expect(text).toContain('1 vectors, 1 disagreements');
  });

  test('ends with the exit code of its verdict, for each verdict', async () => {
    const cases = vectorFiles().filter((path) => read(path).kind === 'case' && read(path).trust !== null);
    // The smallest of each verdict: it holds nothing that this verifier has no rule for.
    const smaller = cases.sort((a, b) => read(b).file.length - read(a).file.length);
    const byVerdict = new Map(smaller.map((path) => [read(path).expected.verdict, path]));
    expect([...byVerdict.keys()].sort()).toEqual(['FORGED', 'INCOMPLETE', 'UNANCHORED', 'VERIFIED', 'unusable']);
    for (const [verdict, path] of byVerdict) {
      const { file, trust, nowMs, expected } = read(path);
      const [caseFile, trustFile] = [join(base, `${verdict}.deed`), join(base, `${verdict}.txt`)];
      writeFileSync(caseFile, gunzipSync(Buffer.from(file, 'base64')));
      writeFileSync(trustFile, trust ?? '');
      const { code, text } = await verify(caseFile, '--trust', trustFile, '--now', new Date(nowMs).toISOString());
      expect([text.split('\n')[0], code]).toEqual([verdict, expected.code]);
    }
  });
});

test('it stays so small that it can be read in an afternoon', () => {
  const sources = readdirSync(folder).filter((name) => name.endsWith('.py'));
  const lines = sources.flatMap((name) => readFileSync(join(folder, name), 'utf8').trimEnd().split('\n'));
  expect(sources).toContain('verify.py');
  expect(lines.length).toBeLessThan(1410);
  expect(lines.filter((line) => line.length > 120)).toEqual([]);
  expect(lines.filter((line) => /;\s*$|^\s*[^'"#]*;\s|\b(exec|eval)\(/.test(line))).toEqual([]);
});
