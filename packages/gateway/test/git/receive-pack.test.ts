import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { GitError } from '../../src/git/errors.ts';
import { PktLineReader } from '../../src/git/pkt-line.ts';
import { differenceFrom, reportOf } from '../../src/git/push-window.ts';
import { ReportReader, readReceivePackHead } from '../../src/git/receive-pack.ts';

const a = 'a'.repeat(40);
const b = 'b'.repeat(40);

function pkt(text: string | Uint8Array): Buffer {
  const payload = Buffer.from(text);
  return Buffer.concat([Buffer.from((payload.length + 4).toString(16).padStart(4, '0')), payload]);
}
const flush = Buffer.from('0000');

/** The bytes in pieces of the given sizes, repeated. */
async function* pieces(bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length] ?? bytes.length;
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

const anySizes = fc.array(fc.integer({ min: 1, max: 70 }), { minLength: 1, maxLength: 8 });

describe('the head of a push', () => {
  const head = Buffer.concat([
    pkt(`${a} ${b} refs/heads/main\0 report-status-v2 side-band-64k push-options object-format=sha1`),
    pkt(`${b} ${a} refs/tags/v\u00e9\n`),
    flush,
    pkt('reason=none'),
    flush,
  ]);

  test('is the same however it is cut, and what was read is what was sent', async () => {
    await fc.assert(
      fc.asyncProperty(anySizes, fc.uint8Array({ maxLength: 100 }), async (sizes, pack) => {
        const sent = Buffer.concat([head, pack]);
        const body = pieces(sent, sizes);
        const result = await readReceivePackHead(body);
        expect(result.head).toEqual({
          updates: [
            { ref: 'refs/heads/main', old: a, new: b },
            { ref: 'refs/tags/v\u00e9', old: b, new: a },
          ],
          capabilities: ['report-status-v2', 'side-band-64k', 'push-options', 'object-format=sha1'],
          pushOptions: ['reason=none'],
        });
        const rest: Uint8Array[] = [];
        for await (const piece of body) rest.push(piece);
        expect(Buffer.concat([result.read, ...rest]).equals(sent)).toBe(true);
      }),
    );
  });

  test('made of any bytes is read or refused, never anything else', async () => {
    const mutated = fc.tuple(fc.nat(head.length - 1), fc.nat(255)).map(([at, value]) => {
      const copy = Buffer.from(head);
      copy[at] = value;
      return copy;
    });
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.uint8Array({ maxLength: 300 }), mutated), anySizes, async (bytes, sizes) => {
        await readReceivePackHead(pieces(bytes, sizes)).catch((error: unknown) =>
          expect(error).toBeInstanceOf(GitError),
        );
      }),
      { numRuns: process.env.SLOW === '1' ? 20_000 : 500 },
    );
  });

  test.each([
    ['ids of two lengths', `${a} ${'b'.repeat(64)} refs/heads/x\0`],
    ['upper-case ids', `${a.toUpperCase()} ${b} refs/heads/x\0`],
    ['a ref outside refs/', `${a} ${b} HEAD\0`],
    ['a ref with a newline', `${a} ${b} refs/heads/x\ny\0`],
    ['a push certificate', 'push-cert\0x'],
  ])('with %s is refused', async (_name, line) => {
    const bytes = Buffer.concat([pkt(line), flush]);
    await expect(readReceivePackHead(pieces(bytes, [9]))).rejects.toMatchObject({ code: 'pkt-line' });
  });

  test('with more commands than anyone approves is refused', async () => {
    const many = Array.from({ length: 1_001 }, (_, index) => pkt(`${a} ${b} refs/heads/x${index}`));
    await expect(readReceivePackHead(pieces(Buffer.concat(many), [65_536]))).rejects.toMatchObject({ code: 'limit' });
  });
});

test('a pkt-line longer than git allows, or too short to be one, is refused', () => {
  for (const digits of ['fff1', 'ffff', '0001', '0002', '0004', '00g0', '-001']) {
    const reader = new PktLineReader();
    reader.push(Buffer.from(`${digits}xxxx`));
    expect(() => reader.next()).toThrow(expect.objectContaining({ code: 'pkt-line' }));
  }
});

describe('the report', () => {
  const report = Buffer.concat([
    pkt('unpack ok\n'),
    pkt('ok refs/heads/main\n'),
    pkt('option forced-update\n'),
    pkt('ng refs/heads/x hook declined it\n'),
    flush,
  ]);
  const banded = Buffer.concat([
    pkt(Buffer.concat([Buffer.from([2]), Buffer.from('remote: working\n')])),
    pkt(Buffer.concat([Buffer.from([1]), report.subarray(0, 20)])),
    pkt(Buffer.concat([Buffer.from([1]), report.subarray(20)])),
    flush,
  ]);

  test.each([
    ['plain', [], report],
    ['in a side band', ['side-band-64k'], banded],
  ] as const)('%s is read however it is cut', async (_name, capabilities, bytes) => {
    await fc.assert(
      fc.asyncProperty(anySizes, async (sizes) => {
        const reader = new ReportReader(capabilities);
        for await (const chunk of pieces(bytes, sizes)) reader.push(chunk);
        expect(reader.end()).toEqual({
          unpack: 'ok',
          refs: [
            { ref: 'refs/heads/main', ok: true, options: ['forced-update'] },
            { ref: 'refs/heads/x', ok: false, message: 'hook declined it', options: [] },
          ],
        });
      }),
    );
    const cut = new ReportReader(capabilities);
    cut.push(bytes.subarray(0, bytes.length - 9));
    expect(cut.end()).toBeUndefined();
  });

  test('that says ok about something else than was asked is not ok', () => {
    const update = { ref: 'refs/heads/main', old: a, new: b };
    const status = (refs: NonNullable<ReturnType<ReportReader['end']>>['refs']) =>
      reportOf(
        { repository: 'r', updates: [update] },
        { httpStatus: 200, requestId: null, report: { unpack: 'ok', refs } },
      ).updates[0]?.status;
    const ok = { ref: update.ref, ok: true, options: [] };
    expect(status([ok])).toBe('ok');
    expect(status([{ ...ok, options: [`new-oid ${b}`, `old-oid ${a}`] }])).toBe('ok');
    expect(status([{ ...ok, options: [`new-oid ${a}`] }])).toBe('unknown');
    expect(status([{ ...ok, options: ['refname refs/heads/else'] }])).toBe('unknown');
    expect(status([ok, { ...ok, ok: false }])).toBe('unknown');
    expect(status([])).toBe('unknown');
    const broken = { unpack: 'index-pack abnormal exit', refs: [ok] };
    const report = reportOf(
      { repository: 'r', updates: [update] },
      { httpStatus: 200, requestId: null, report: broken },
    );
    expect(report.updates[0]?.status).toBe('unknown');
  });
});

test('only the very same set of updates does not differ', () => {
  const one = { ref: 'refs/heads/x', old: a, new: b };
  const two = { ref: 'refs/heads/y', old: a, new: b };
  const allowed = { repository: 'r', updates: [one, two] };
  expect(differenceFrom(allowed, 'r', [two, one])).toBeUndefined();
  expect(differenceFrom(allowed, 's', [one, two])).toContain('repository');
  expect(differenceFrom(allowed, 'r', [one])).toContain('missing');
  expect(differenceFrom(allowed, 'r', [one, { ...two, new: a }])).toContain('moves to');
  expect(differenceFrom(allowed, 'r', [one, { ...two, old: b }])).toContain('moves from');
  expect(differenceFrom(allowed, 'r', [one, two, { ...two, ref: 'refs/heads/z' }])).toContain('not among');
});
