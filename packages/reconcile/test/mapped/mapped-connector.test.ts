import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, renameSync, truncateSync, writeFileSync } from 'node:fs';
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
    const { records, gaps } = await mappedConnector.read(given(), nowhere, 10);
    expect(records).toHaveLength(2);
    expect(gaps?.map(({ why }) => why.replace(/^a.jsonl at byte \d+: /, ''))).toEqual([
      expect.stringContaining('it is no JSON'),
      'it has no time',
      expect.stringContaining('it is no JSON'),
    ]);
    writeFileSync(join(dir, 'b.json.gz'), 'not packed');
    writeFileSync(join(dir, 'c.json'), '{"Records":7}');
    const whole = await mappedConnector.read(given({ mapping: listed }), nowhere, 10);
    expect(whole.gaps?.map(({ why }) => why).filter((each) => !each.startsWith('a.'))).toEqual([
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

  it('of which the past was changed or cut cover nothing since they were read last', async () => {
    const path = join(dir, 'a.jsonl');
    writeFileSync(path, line() + line());
    const first = await mappedConnector.read(given(), nowhere, 10);
    const bytes = readFileSync(path);
    bytes[10] = 0x41;
    writeFileSync(path, Buffer.concat([bytes, Buffer.from(line())]));
    const begun = new Date().toISOString();
    const changed = await mappedConnector.read(given(), first.to, 10);
    expect(changed.gaps).toEqual([
      { from: first.watermark, to: expect.any(String), why: expect.stringContaining('its past was changed') },
    ]);
    expect(changed.gaps?.[0]?.to && changed.gaps[0].to >= begun).toBe(true);
    expect(await mappedConnector.read(given(), changed.to, 10)).toMatchObject({ records: [], gaps: [] });
    truncateSync(path, 5);
    expect((await mappedConnector.read(given(), first.to, 10)).gaps).toHaveLength(1);
  });

  it('are found again under another name when they were rotated, and nothing is read twice or left out', async () => {
    writeFileSync(join(dir, 'a.log'), line({ id: 'one' }));
    const first = await mappedConnector.read(given(), nowhere, 10);
    appendFileSync(join(dir, 'a.log'), line({ id: 'two' }));
    renameSync(join(dir, 'a.log'), join(dir, 'a.log.1'));
    writeFileSync(join(dir, 'a.log'), line({ id: 'three' }));
    const second = await mappedConnector.read(given(), first.to, 10);
    expect(second).toMatchObject({ problems: [], gaps: [] });
    expect(second.records.map(({ event }) => event.id).sort()).toEqual(['three', 'two']);
    renameSync(join(dir, 'a.log.1'), join(dir, 'a.log.2'));
    renameSync(join(dir, 'a.log'), join(dir, 'a.log.1'));
    writeFileSync(join(dir, 'a.log'), line({ id: 'four' }));
    const third = await mappedConnector.read(given(), second.to, 10);
    expect(third).toMatchObject({ gaps: [], records: [{ event: { id: 'four' } }] });
  });

  it('of which a number is missing, or a line cannot be read, have a gap between the events beside it', async () => {
    const at = (minute: number, over: object) => line({ time: `2026-11-22T12:0${minute}:00.000Z`, ...over });
    const lines = [
      at(0, { seq: 1 }),
      at(1, { seq: 2 }),
      at(3, { seq: 5 }),
      'torn\n',
      at(4, { seq: 6 }),
      at(2, { seq: 2 }),
    ];
    writeFileSync(join(dir, 'a.jsonl'), lines.join(''));
    const reading = await mappedConnector.read(given(), nowhere, 10);
    expect(reading.gaps).toEqual([
      {
        ...{ from: '2026-11-22T12:01:00.000Z', to: '2026-11-22T12:03:00.000Z' },
        why: '2 records are missing before number 5',
      },
      {
        ...{ from: '2026-11-22T12:03:00.000Z', to: '2026-11-22T12:04:00.000Z' },
        why: expect.stringContaining('it is no JSON'),
      },
    ]);
    appendFileSync(join(dir, 'a.jsonl'), at(6, { seq: 9 }));
    const later = await mappedConnector.read(given(), reading.to, 10);
    expect(later.gaps).toMatchObject([{ from: '2026-11-22T12:02:00.000Z', to: '2026-11-22T12:06:00.000Z' }]);
    appendFileSync(join(dir, 'a.jsonl'), 'torn\n');
    const end = await mappedConnector.read(given(), later.to, 10);
    expect(end.gaps).toMatchObject([{ from: '2026-11-22T12:06:00.000Z' }]);
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
