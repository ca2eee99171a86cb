import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { beforeEach, describe, expect, it } from 'vitest';
import { mappedConnector } from '../../src/mapped/mapped-connector.ts';
import { readRecords } from '../../src/mapped/raw-records.ts';

const example = readFileSync(new URL('../../../../examples/payments/mapping.json', import.meta.url), 'utf8');
const listed = example.replace('"records": "lines"', '"records": { "list": "/Records" }');
let dir: string;
let serial = 0;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'deed-mapped-'));
});

const record = (over: object = {}) => ({
  ...{ id: `ev_${++serial}`, time: '2026-11-22T12:00:00.000Z', request: 'req', key: 'crd_1' },
  ...{ action: 'refund.created', charge: 'ch_1', amount: '1.00' },
  ...over,
});
const line = (over: object = {}) => `${JSON.stringify(record(over))}\n`;
const given = (over: object = {}) => ({ path: dir, mapping: example, live: false, ...over });
const nowhere = { files: {}, newest: null, watermark: null };

describe('files of another system’s log', () => {
  it('are read on from where the last reading ended, and what was there at first is passed over', async () => {
    writeFileSync(join(dir, 'a.jsonl'), line() + line());
    const { to } = await mappedConnector.start(given());
    appendFileSync(join(dir, 'a.jsonl'), line({ id: 'new' }) + line().slice(0, 20));
    writeFileSync(join(dir, 'b.jsonl'), line({ id: 'other', time: '2026-11-22T12:05:00.000Z' }));
    writeFileSync(join(dir, 'ignored.txt'), line());
    const reading = await mappedConnector.read(given(), to, 100);
    expect(reading.records.map(({ event }) => event.id)).toEqual(['new', 'other']);
    expect(reading).toMatchObject({ problems: [], more: false, watermark: '2026-11-22T12:05:00.000Z' });
    expect(await mappedConnector.read(given(), reading.to, 100)).toMatchObject({ records: [], problems: [] });
  });

  it('are read in parts, without one left out', async () => {
    writeFileSync(join(dir, 'a.jsonl'), Array.from({ length: 25 }, () => line()).join(''));
    let position: Parameters<typeof mappedConnector.read>[1] = nowhere;
    const seen: string[] = [];
    for (let more = true; more; ) {
      const reading = await mappedConnector.read(given(), position, 10);
      expect(reading.records.length).toBeLessThanOrEqual(10);
      if (reading.more) expect(reading.watermark).toBe('1970-01-01T00:00:00.000Z');
      seen.push(...reading.records.map(({ event }) => event.id));
      ({ more, to: position } = reading);
    }
    expect(new Set(seen).size).toBe(25);
  });

  it('keep the exact bytes of each record', async () => {
    const odd = ` { "id" : "odd", "time":"2026-11-22T12:00:00Z", "action":"charge.read","key":"é" } `;
    writeFileSync(join(dir, 'a.jsonl'), `${odd}\n`);
    const [first] = (await mappedConnector.read(given(), nowhere, 10)).records;
    expect(Buffer.from(first?.raw ?? []).toString()).toBe(odd);
    const document = `{"Records":[], "x":"[1]", "Records" : [ ${odd.trim()} , {"id":"two","time":"2026-11-22T12:00:01Z","action":"x \\"]"} ]}`;
    mkdirSync(join(dir, 'deep'));
    writeFileSync(join(dir, 'deep', 'b.json.gz'), gzipSync(document));
    const reading = await mappedConnector.read(given({ mapping: listed, path: join(dir, 'deep') }), nowhere, 10);
    expect(reading.records.map(({ raw }) => Buffer.from(raw).toString())).toEqual([
      ...[odd.trim(), '{"id":"two","time":"2026-11-22T12:00:01Z","action":"x \\"]"}'],
    ]);
  });

  it('say what cannot be read, and go on', async () => {
    const parts = [line(), 'no json\n', '\n', line({ time: null }), '{"id":"\xff"}\n'];
    writeFileSync(join(dir, 'a.jsonl'), Buffer.from(parts.join(''), 'latin1'));
    appendFileSync(join(dir, 'a.jsonl'), line({ id: 'last' }));
    const { records, problems } = await mappedConnector.read(given(), nowhere, 10);
    expect(records).toHaveLength(2);
    expect(problems.map((each) => each.replace(/^a.jsonl at byte \d+: /, ''))).toEqual([
      expect.stringContaining('it is no JSON'),
      'it has no time',
      expect.stringContaining('it is no JSON'),
    ]);
    writeFileSync(join(dir, 'b.json.gz'), 'not packed');
    writeFileSync(join(dir, 'c.json'), '{"Records":7}');
    const whole = await mappedConnector.read(given({ mapping: listed }), nowhere, 10);
    expect(whole.problems.filter((each) => !each.startsWith('a.'))).toEqual([
      expect.stringContaining('b.json.gz: it cannot be unpacked'),
      'c.json: there is no list at /Records',
    ]);
  });

  it('pass over a record that is too long, and read the next', () => {
    const path = join(dir, 'a.jsonl');
    writeFileSync(path, `{"x":"${'y'.repeat(17 * 1024 * 1024)}"}\n${line({ id: 'next' })}`);
    const first = readRecords({ name: 'a', path }, 'lines', undefined, 10);
    expect(first).toMatchObject({ records: [], more: true, problems: [expect.stringContaining('is passed over')] });
    expect(readRecords({ name: 'a', path }, 'lines', first.place, 10).records).toHaveLength(1);
  });

  it('are not read where their past was changed or cut', async () => {
    const path = join(dir, 'a.jsonl');
    writeFileSync(path, line() + line());
    const { to } = await mappedConnector.read(given(), nowhere, 10);
    const bytes = readFileSync(path);
    bytes[10] = 0x41;
    writeFileSync(path, Buffer.concat([bytes, Buffer.from(line())]));
    const changed = await mappedConnector.read(given(), to, 10);
    expect(changed).toMatchObject({ records: [], problems: [expect.stringContaining('its past was changed')] });
    truncateSync(path, 5);
    expect((await mappedConnector.read(given(), to, 10)).problems).toHaveLength(1);
  });

  it('say how far they reach: to the newest event, or to now where silence means that nothing happened', async () => {
    writeFileSync(join(dir, 'a.jsonl'), line());
    const before = new Date().toISOString();
    const quiet = await mappedConnector.read(given({ lagSeconds: 60 }), nowhere, 10);
    expect(quiet.watermark).toBe('2026-11-22T11:59:00.000Z');
    const live = await mappedConnector.read(given({ live: true }), quiet.to, 10);
    expect(live.watermark && live.watermark >= before).toBe(true);
  });

  it('do not let a clock that is ahead move the watermark past now', async () => {
    const ahead = new Date(Date.now() + 7_200_000).toISOString();
    writeFileSync(join(dir, 'a.jsonl'), line({ time: ahead }));
    const reading = await mappedConnector.read(given(), nowhere, 10);
    expect(reading.watermark && reading.watermark < ahead).toBe(true);
    expect(reading.problems).toEqual([expect.stringContaining('ahead of ours')]);
  });

  it('that are not there cannot be reached', async () => {
    await expect(mappedConnector.read(given({ path: join(dir, 'gone') }), nowhere, 10)).rejects.toMatchObject({
      code: 'unreachable',
    });
  });
});
