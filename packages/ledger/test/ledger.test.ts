import * as fs from 'node:fs';
import { join } from 'node:path';
import {
  emptyRoot,
  encodeEnvelope,
  judgeCheckpoint,
  leafHash,
  noPredecessor,
  parseCheckpoint,
  parseNote,
  parseTlogProof,
  parseTrust,
  rootFromLeaves,
  statementDigest,
  toHex,
  verifyConsistency,
  verifyEnvelope,
  verifyInclusion,
  verifyTlogProof,
} from '@deed/evidence';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { proves } from '../../../tests/promises.ts';
import { type Entry, leafHashOf, leafOf, openLedger, pemSigner } from '../src/index.ts';
import { codeOf, draft, origin, World, writeLoosely } from './world.ts';

let world: World;
beforeEach(() => {
  world = new World();
});
afterEach(() => world.tidy());

const statement = (payload: Uint8Array) => JSON.parse(Buffer.from(payload).toString('utf8'));
const notes = {
  id: 'test/1',
  up: 'CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT, parent INTEGER REFERENCES note DEFERRABLE INITIALLY DEFERRED) STRICT',
};

describe('the record door', () => {
  test('gives gap-free places, and prev is the digest of the statement before', async () => {
    const ledger = await world.ledger();
    const task = 'tsk_01ARZ3NDEKTSV4RRFFQ69G5FAV';
    const opened = ledger.record(draft('', 0, { place: { task, chain: 'seq' } }));
    const second = ledger.record(draft('', 1, { place: { task, chain: 'seq' } }));
    const after = ledger.record(draft('', 2, { place: { task, chain: 'after' } }));
    const afterThat = ledger.record(draft('', 3, { place: { task, chain: 'after' } }));
    const named = ledger.record(draft('deployment'));
    const heads = [opened, second, after, afterThat, named].map(({ payload }) => statement(payload).predicate);
    expect(heads).toMatchObject([
      { v: 1, origin, task, seq: 0, prev: noPredecessor },
      { task, seq: 1, prev: opened.digest },
      { task, after: 0, prev: opened.digest },
      { task, after: 1, prev: after.digest },
      { series: 'deployment', n: 0, prev: noPredecessor },
    ]);
    expect(Object.keys(heads[0]).slice(0, 9)).toEqual([
      'v',
      'origin',
      'task',
      'seq',
      'prev',
      'time',
      'observed',
      'separation',
      'nonce',
    ]);
    await named.durable;
    expect(ledger.series(task).map((entry) => entry.n)).toEqual([0, 1]);
    expect(ledger.series(`${task}/after`).map((entry) => toHex(statementDigest(entry.envelope.payload)))).toEqual([
      after.digest,
      afterThat.digest,
    ]);
  });

  test('goes on where it stopped after a restart, and no statement is earlier than the one before', async () => {
    let now = 1_700_000_000_000;
    const clock = () => now;
    const first = await world.ledger({ clock });
    const before = first.record(draft('deployment'));
    await world.close(first);
    now -= 30_000;
    const second = await world.ledger({ clock });
    const recorded = second.record(draft('deployment'));
    expect(statement(recorded.payload).predicate).toMatchObject({
      n: 1,
      prev: before.digest,
      time: new Date(1_700_000_000_000).toISOString(),
    });
  });

  test('signs and keeps the exact bytes it made', async () => {
    proves('invariant-3');
    const ledger = await world.ledger();
    const recorded = ledger.record(draft('deployment', 0, { body: { text: 'é\u2028"\\', list: [1, { b: 2, a: 1 }] } }));
    const { index } = await recorded.durable;
    const entry = ledger.entry(index) as Entry;
    expect(Buffer.from(entry.envelope.payload)).toEqual(Buffer.from(recorded.payload));
    expect(verifyEnvelope(entry.envelope, entry.spki)).toBe(true);
    expect(JSON.parse(Buffer.from(encodeEnvelope(entry.envelope)).toString()).payload).toBe(
      Buffer.from(recorded.payload).toString('base64'),
    );
  });

  test('commits state and entry together, and stops for ever when the state cannot be written', async () => {
    proves('invariant-2');
    const ledger = await world.ledger({ migrations: [notes] });
    const kept = ledger.record(
      draft('deployment', 0, {
        apply: (tx, { index }) => tx.run('INSERT INTO note (text) VALUES (?)', `entry ${index}`),
      }),
    );
    const { index } = await kept.durable;
    expect(ledger.database.all('SELECT text FROM note')).toEqual([{ text: `entry ${index}` }]);
    const failing = ledger.record(
      draft('deployment', 1, {
        apply: (tx) => {
          tx.run("INSERT INTO note (text) VALUES ('half')");
          throw new Error('a constraint');
        },
      }),
    );
    const behind = ledger.record(draft('deployment', 2));
    await expect(failing.durable).rejects.toMatchObject({ code: 'stopped' });
    await expect(behind.durable).rejects.toMatchObject({ code: 'stopped' });
    expect(world.fatal.map((error) => error.message).join()).toContain('a constraint');
    expect(() => ledger.record(draft('deployment'))).toThrow(/stopped/);
    expect(ledger.database.all('SELECT text FROM note')).toEqual([{ text: 'entry 0' }]);
    expect(ledger.series('deployment').length).toBe(1);
  });

  test('stops for ever when the commit itself fails', async () => {
    const ledger = await world.ledger({ migrations: [notes] });
    const recorded = ledger.record(
      draft('deployment', 0, { apply: (tx) => tx.run("INSERT INTO note (text, parent) VALUES ('orphan', 99)") }),
    );
    await expect(recorded.durable).rejects.toMatchObject({ code: 'stopped' });
    await expect(recorded.published()).rejects.toMatchObject({ code: 'stopped' });
    expect(world.fatal.length).toBe(1);
  });

  test('refuses what it cannot keep, and reserves nothing then', async () => {
    const ledger = await world.ledger({
      maxQueue: 2,
      write: (parts) => {
        if (parts.body.x === 'unreadable') throw new Error('no verifier would read this');
        return writeLoosely(parts);
      },
    });
    const refused = (run: () => unknown) => {
      try {
        run();
      } catch (error) {
        return codeOf(error) instanceof Error ? 'check' : codeOf(error);
      }
    };
    expect(refused(() => ledger.record(draft('deployment', 0, { body: { prev: 'mine' } })))).toBe('statement');
    expect(refused(() => ledger.record(draft('deployment', 0, { body: { x: 'unreadable' } })))).toBe('check');
    const task = 'tsk_01ARZ3NDEKTSV4RRFFQ69G5FAV';
    expect(refused(() => ledger.record(draft('', 0, { place: { task, chain: 'after' } })))).toBe('draft');
    const first = ledger.record(draft('deployment'));
    expect(first.position).toEqual({ series: 'deployment', n: 0 });
    ledger.record(draft('deployment'));
    expect(refused(() => ledger.record(draft('deployment')))).toBe('overloaded');
    await world.close(ledger);
    expect(refused(() => ledger.record(draft('deployment')))).toBe('stopped');
  });

  test('refuses new entries when too many wait to be published', async () => {
    const ledger = await world.ledger({ maxUnpublished: 3, publishIntervalMs: 60_000 });
    await Promise.all([1, 2, 3].map((n) => ledger.record(draft('deployment', n)).durable));
    expect(() => ledger.record(draft('deployment'))).toThrow(/wait to be published/);
  });

  test('admits by default only what the verifier can read', async () => {
    const ledger = await openLedger({
      folder: world.folder,
      logKeys: world.logKeys,
      signer: pemSigner(world.signerPem),
    });
    expect(() => ledger.record(draft('deployment', 0, { body: { nonsense: true } }))).toThrow();
    expect(() => ledger.record(draft('no such series'))).toThrow();
    expect(ledger.size).toBe(0);
    await ledger.close();
  });

  test('stops when a signature cannot be made, because its place would stay empty', async () => {
    const ledger = await world.ledger();
    const signer = { ...pemSigner(world.signerPem), sign: () => Promise.reject(new Error('the key is gone')) };
    const recorded = ledger.record(draft('deployment', 0, { signer }));
    await expect(recorded.durable).rejects.toMatchObject({ code: 'stopped' });
    expect(world.fatal.map((error) => error.message).join()).toContain('the key is gone');
  });

  test('tells the newest statement of a series', async () => {
    const ledger = await world.ledger();
    expect(ledger.seriesHead('deployment')).toBeUndefined();
    ledger.record(draft('deployment'));
    const { digest, durable } = ledger.record(draft('deployment'));
    await durable;
    expect(ledger.seriesHead('deployment')).toEqual({ index: 1, n: 1, digest });
  });

  test('keeps the order of the queue although signatures finish in any order', async () => {
    const slow = await world.ledger();
    const signer = pemSigner(world.signerPem);
    const gate = Promise.withResolvers<void>();
    const late = { ...signer, sign: (message: Uint8Array) => gate.promise.then(() => signer.sign(message)) };
    const first = slow.record(draft('deployment', 0, { signer: late }));
    const second = slow.record(draft('deployment', 1));
    const done: string[] = [];
    first.durable.then(() => done.push('first'));
    const both = second.durable.then(() => done.push('second'));
    gate.resolve();
    await both;
    expect(done).toEqual(['first', 'second']);
    expect([await first.durable, await second.durable]).toEqual([{ index: 0 }, { index: 1 }]);
  });
});

describe('the published log', () => {
  test('covers every entry with proofs that anyone can check by the trust file', async () => {
    const ledger = await world.ledger();
    const recorded = Array.from({ length: 600 }, (_, n) => ledger.record(draft(`source:s${n % 7}`, n)));
    const checkpoint = await (recorded.at(-1) as (typeof recorded)[0]).published();
    expect(checkpoint.size).toBe(600);
    const trust = parseTrust(`${ledger.vkeys.map((vkey) => `log ${vkey}`).join('\n')}\nquorum none\n`);
    expect(judgeCheckpoint(checkpoint.note, trust)).toMatchObject({ logKeysOk: true, checkpoint: { size: 600 } });
    const leaves = Array.from({ length: 600 }, (_, index) => leafHashOf(ledger.entry(index) as Entry));
    expect(toHex(checkpoint.root)).toBe(toHex(rootFromLeaves(leaves)));
    for (const index of [0, 1, 255, 256, 511, 512, 599]) {
      const proof = parseTlogProof(ledger.tlogProof(index, checkpoint.note), { refuseExtra: true });
      expect(verifyTlogProof(proof, leaves[index] as Uint8Array).size).toBe(600);
      const small = ledger.inclusionProof(index, index + 1);
      const claim = { index, size: index + 1, proof: small, leafHash: leaves[index] as Uint8Array };
      expect(verifyInclusion({ ...claim, root: rootFromLeaves(leaves.slice(0, index + 1)) })).toBe(true);
    }
    for (const oldSize of [0, 1, 255, 256, 257, 599, 600]) {
      const oldRoot = oldSize === 0 ? emptyRoot() : rootFromLeaves(leaves.slice(0, oldSize));
      const proof = ledger.consistencyProof(oldSize, 600);
      expect(verifyConsistency({ oldSize, newSize: 600, oldRoot, newRoot: checkpoint.root, proof })).toBe(true);
    }
    expect(codeOf(await ledger.witnessed(0).catch((error) => error))).toBe('witness');
  });

  test('lies in the folder as tlog-tiles says, and is the same whichever way it grew', async () => {
    const ledger = await world.ledger();
    for (const count of [3, 300, 40]) {
      await Promise.all(Array.from({ length: count }, (_, n) => ledger.record(draft('deployment', n)).durable));
      await ledger.published(ledger.size - 1);
    }
    const size = 343;
    const leaves = Array.from({ length: size }, (_, index) => leafOf(ledger.entry(index) as Entry));
    const hashes = Buffer.concat(leaves.map((leaf) => leafHash(leaf)));
    const file = (path: string) => fs.readFileSync(join(world.folder, 'log', path));
    expect(file('tile/0/000')).toEqual(hashes.subarray(0, 8192));
    expect(file('tile/0/001.p/87')).toEqual(hashes.subarray(8192));
    expect(file('tile/1/000.p/1').length).toBe(32);
    const bundle = file('tile/entries/001.p/87');
    expect(bundle.readUInt16BE(0)).toBe(leaves[256]?.length);
    expect(bundle.subarray(2, 2 + bundle.readUInt16BE(0))).toEqual(Buffer.from(leaves[256] as Uint8Array));
    expect(fs.existsSync(join(world.folder, 'log/tile/0/000.p'))).toBe(false);
    expect(file('checkpoint').toString()).toBe(ledger.latestPublished()?.note);
  });

  test('goes on from the published right edge after a restart', async () => {
    const first = await world.ledger();
    await Promise.all(Array.from({ length: 300 }, (_, n) => first.record(draft('deployment', n)).durable));
    await world.close(first);
    const published = fs.readFileSync(join(world.folder, 'log/checkpoint'), 'utf8');
    const second = await world.ledger();
    expect(second.latestPublished()?.note).toBe(published);
    const next = await second.record(draft('deployment')).published();
    expect(next.size).toBe(301);
    const proof = second.consistencyProof(300, 301);
    const oldRoot = parseCheckpoint(parseNote(published).text).root;
    expect(verifyConsistency({ oldSize: 300, newSize: 301, oldRoot, newRoot: next.root, proof })).toBe(true);
  });
});
