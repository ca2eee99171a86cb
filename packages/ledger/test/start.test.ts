import * as fs from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { judgeCheckpoint, parseTrust } from '@deed/evidence';
import { openDatabase, snapshotDatabase } from '@deed/store';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { proves } from '../../../tests/promises.ts';
import { fsck, type Ledger, ledgerMigrations, loadLogKeys, makeLogKeys, startWitness } from '../src/index.ts';
import { codeOf, draft, origin, World } from './world.ts';

let world: World;
beforeEach(() => {
  world = new World();
});
afterEach(() => world.tidy());

const refusal = (opening: Promise<Ledger>) => opening.then(() => 'opened', codeOf);
const grow = async (ledger: Ledger, count: number) => {
  await Promise.all(Array.from({ length: count }, (_, n) => ledger.record(draft('deployment', n)).durable));
  return await ledger.published(ledger.size - 1);
};
const copy = (from: string, to: string) => fs.cpSync(from, to, { recursive: true });

describe('a data folder', () => {
  test('has one writer', async () => {
    proves('one-writer');
    const ledger = await world.ledger();
    expect(await refusal(world.ledger())).toBe('locked');
    await world.close(ledger);
    await world.close(await world.ledger());
  });

  test('of a newer version is refused', async () => {
    proves('no-newer-data');
    await world.close(await world.ledger());
    const newer = [...ledgerMigrations, { id: 'ledger/999', up: 'CREATE TABLE future (x) ' }];
    openDatabase(world.folder, { migrations: newer }).close();
    expect(await refusal(world.ledger())).toBe('newer');
  });

  test('is refused to another log', async () => {
    const ledger = await world.ledger();
    await grow(ledger, 1);
    await world.close(ledger);
    expect(await refusal(world.ledger({ logKeys: loadLogKeys(origin, makeLogKeys()) }))).toBe('foreign');
    expect(await refusal(world.ledger({ logKeys: loadLogKeys('log.example/other', world.pems) }))).toBe('foreign');
    expect(await refusal(world.ledger())).toBe('opened');
  });

  test('is refused when its clock stands before the newest checkpoint', async () => {
    const ledger = await world.ledger();
    await grow(ledger, 1);
    await world.close(ledger);
    expect(await refusal(world.ledger({ clock: () => Date.now() - 120_000 }))).toBe('clock');
    expect(await refusal(world.ledger({ clock: () => Date.now() - 30_000 }))).toBe('opened');
  });

  test('is refused when its database is older than what it published, also without a witness', async () => {
    const first = await world.ledger();
    await grow(first, 3);
    await world.close(first);
    const backup = join(world.root, 'backup');
    copy(world.folder, backup);
    const second = await world.ledger();
    await grow(second, 3);
    await world.close(second);
    for (const file of ['deed.db', 'deed.db-wal', 'deed.db-shm']) {
      fs.rmSync(join(world.folder, file), { force: true });
      if (fs.existsSync(join(backup, file))) copy(join(backup, file), join(world.folder, file));
    }
    expect(await refusal(world.ledger())).toBe('damaged');
  });

  test('gets its absent and cut partial tiles back, and is refused when a full tile differs', async () => {
    const ledger = await world.ledger();
    await grow(ledger, 300);
    await world.close(ledger);
    const log = join(world.folder, 'log');
    fs.rmSync(join(log, 'tile/0/001.p'), { recursive: true });
    fs.writeFileSync(join(log, 'tile/1/000.p/1'), '');
    fs.rmSync(join(log, 'tile/entries/000'));
    fs.rmSync(join(log, 'tile/0/000'));
    const again = await world.ledger();
    await world.close(again);
    expect(fsck(world.folder).problems).toEqual([]);
    const tile = fs.readFileSync(join(log, 'tile/0/000'));
    tile[100] = (tile[100] ?? 0) ^ 1;
    fs.writeFileSync(join(log, 'tile/0/000'), tile);
    expect(await refusal(world.ledger())).toBe('damaged');
  });
});

describe('with a witness', () => {
  test('an old copy of the folder is refused, and so is one that grew another way', async () => {
    const { endpoint } = await world.witness();
    const witnesses = [endpoint];
    const first = await world.ledger({ witnesses });
    await grow(first, 3);
    await first.witnessed(2);
    await world.close(first);
    const backup = join(world.root, 'backup');
    copy(world.folder, backup);
    const second = await world.ledger({ witnesses });
    await grow(second, 2);
    await second.witnessed(4);
    await world.close(second);

    fs.rmSync(world.folder, { recursive: true });
    copy(backup, world.folder);
    expect(await refusal(world.ledger({ witnesses }))).toBe('forked');

    const unaware = await world.ledger();
    await grow(unaware, 9);
    await world.close(unaware);
    expect(await refusal(world.ledger({ witnesses }))).toBe('forked');
  });

  test('of two running copies of one folder the second to grow stops before it publishes anything', async () => {
    const { endpoint } = await world.witness();
    const witnesses = [endpoint];
    const first = await world.ledger({ witnesses });
    await first.record(draft('deployment')).witnessed();
    await world.close(first);
    const twin = join(world.root, 'twin');
    copy(world.folder, twin);
    const one = await world.ledger({ witnesses });
    const two = await world.ledger({ witnesses, folder: twin });
    await one.record(draft('deployment')).witnessed();
    const lost = two.record(draft('deployment'));
    await expect(lost.witnessed()).rejects.toMatchObject({ code: 'stopped' });
    expect(world.fatal.map(codeOf)).toEqual(['forked']);
    expect(two.latestPublished()?.size).toBe(1);
  });

  test('entries are witnessed by the quorum of the trust file, and the note stays retrievable', async () => {
    const { endpoint, witness } = await world.witness();
    const ledger = await world.ledger({ witnesses: [endpoint] });
    const recorded = ledger.record(draft('deployment'));
    const checkpoint = await recorded.witnessed();
    const lines = [...ledger.vkeys.map((vkey) => `log ${vkey}`), `witness local ${witness.vkeys[0]}`, 'quorum local'];
    const judged = judgeCheckpoint(checkpoint.note, parseTrust(`${lines.join('\n')}\n`));
    expect(judged).toMatchObject({ logKeysOk: true, quorumMet: true, checkpoint: { size: checkpoint.size } });
    for (let i = 0; i < 3; i++) await grow(ledger, 2);
    await ledger.witnessed(ledger.size - 1);
    expect(ledger.checkpointAt(checkpoint.size)?.note).toBe(checkpoint.note);
    expect(ledger.latestWitnessed()?.size).toBe(ledger.size);
  });

  test('that is away, the log goes on, and what it published is cosigned when the witness is back', async () => {
    const { endpoint, witness } = await world.witness();
    const port = Number(new URL(witness.url).port);
    const ledger = await world.ledger({ witnesses: [endpoint] });
    await ledger.record(draft('deployment')).witnessed();
    await world.close(witness);
    const recorded = ledger.record(draft('deployment'));
    const published = await recorded.published();
    expect(published).toMatchObject({ size: 2, witnessed: false });
    const waiting = recorded.witnessed();
    const gone = new AbortController();
    const impatient = recorded.witnessed(gone.signal);
    gone.abort(new Error('no longer wanted'));
    await expect(impatient).rejects.toThrow('no longer wanted');
    const back = await startWitness({ stateFolder: world.stateFolder, port });
    expect(await waiting).toMatchObject({ size: 2, witnessed: true });
    await world.close(ledger);
    await back.close();
  });

  test('that is away, new entries do not wait for its next chance to be published', async () => {
    const { endpoint, witness } = await world.witness();
    const ledger = await world.ledger({ witnesses: [endpoint] });
    await ledger.record(draft('deployment')).witnessed();
    await world.close(witness);
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      for (let n = 2; n < 5; n++) {
        const recorded = ledger.record(draft('deployment', n));
        await recorded.durable;
        vi.advanceTimersByTime(5); // the interval; the witness is asked again after 250 ms at the earliest
        expect((await recorded.published()).size).toBe(n);
      }
    } finally {
      vi.useRealTimers();
    }
  });

  test('that is away at the start, nothing new is admitted until it has answered', async () => {
    const { endpoint, witness } = await world.witness();
    await world.close(witness);
    const ledger = await world.ledger({ witnesses: [endpoint] });
    expect(ledger.isReady).toBe(false);
    expect(() => ledger.record(draft('deployment'))).toThrow(/not yet confirmed/);
    const back = await startWitness({ stateFolder: world.stateFolder, port: Number(new URL(witness.url).port) });
    await ledger.ready;
    expect((await ledger.record(draft('deployment')).witnessed()).size).toBe(1);
    await world.close(ledger);
    await back.close();
  });

  test('that is away from start to end, nothing is signed, though entries wait for their checkpoint', async () => {
    const { endpoint, witness } = await world.witness();
    const first = await world.ledger({ witnesses: [endpoint], publishIntervalMs: 60_000 });
    await first.record(draft('deployment')).durable;
    const copied = join(world.root, 'copied');
    fs.mkdirSync(copied);
    snapshotDatabase(world.folder, join(copied, 'deed.db'));
    await world.close(first);
    await world.close(witness);
    const restored = await world.ledger({ witnesses: [endpoint], folder: copied });
    expect(restored).toMatchObject({ isReady: false, size: 1 });
    await world.close(restored);
    expect(fs.existsSync(join(copied, 'log', 'checkpoint'))).toBe(false);
  });

  test('that lies or hangs, the log neither stops nor believes it', async () => {
    const honest = await world.witness();
    let mode = 0;
    const liar = createServer((request, response) => {
      request.resume();
      if (request.method === 'GET') response.writeHead(404).end();
      else if (mode === 0) response.writeHead(409, { 'content-type': 'text/x.tlog.size' }).end('999999\n');
      else if (mode === 1) response.writeHead(200).end('— witness.example/local AAAAAAAA\n');
      else if (mode === 2) response.writeHead(200).end('x'.repeat(1_000_000));
      // Mode 3 never answers.
    });
    await new Promise<void>((resolve) => liar.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(liar.address() as AddressInfo).port}`;
    const ledger = await world.ledger({
      witnesses: [honest.endpoint, { ...(await world.witness('second')).endpoint, url }],
      quorum: { groups: [], quorum: 'local' },
      witnessTimeoutMs: 100,
    });
    for (mode = 0; mode < 4; mode++) {
      const checkpoint = await ledger.record(draft('deployment', mode)).witnessed();
      expect(checkpoint.note).not.toContain('witness.example/second');
    }
    expect(world.fatal).toEqual([]);
    await world.close(ledger);
    liar.closeAllConnections();
    liar.close();
  });
});
