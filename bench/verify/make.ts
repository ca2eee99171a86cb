import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { newId, noPredecessor, randomBytes, toHex, type WrittenStatement, writeStatement } from '@deed/evidence';
import { loadLogKeys, makeLogKeys, makeSignerKey, openLedger, pemSigner } from '@deed/ledger';

const origin = 'bench.example/log';
const tasksAtOnce = 64;
const entriesOfTask = 10;
const batchSize = 4096;

/** How a log is opened again: its keys rest beside its data folder. */
export function openMade(root: string, pems = makeLogKeys(), signer = makeSignerKey()) {
  return openLedger({
    folder: join(root, 'data'),
    logKeys: loadLogKeys(origin, pems),
    signer: pemSigner(signer),
    maxQueue: 65_536,
    maxUnpublished: 1_000_000,
  });
}

/**
 * A log of `size` entries as a deployment leaves it behind: tasks side by side, each a chain, with a real signature each. Only
 * the way into the database is shorter: rows in large transactions. Tiles and checkpoint are the ledger's own work.
 */
export async function makeLog(root: string, size: number): Promise<void> {
  mkdirSync(root, { recursive: true });
  const [pems, key] = [makeLogKeys(), makeSignerKey()];
  writeFileSync(join(root, 'keys.json'), JSON.stringify({ pems, key }), { mode: 0o600 });
  const empty = await openMade(root, pems, key);
  writeFileSync(join(root, 'trust.txt'), `${empty.vkeys.map((vkey) => `log ${vkey}`).join('\n')}\nquorum none\n`);
  await empty.close();

  const signer = pemSigner(key);
  const database = new DatabaseSync(join(root, 'data', 'deed.db'));
  database.exec('PRAGMA synchronous=OFF');
  database.prepare('INSERT INTO key (id, keyid, spki) VALUES (1, ?, ?)').run(signer.keyid, signer.spki);
  const insert = database.prepare(
    'INSERT INTO entry (idx, leaf_version, series, n, key, sig, body) VALUES (?, 1, ?, ?, 1, ?, ?)',
  );
  const next = chains();
  for (let at = 0; at < size; at += batchSize) {
    const rows = Array.from({ length: Math.min(batchSize, size - at) }, next);
    const signatures = await Promise.all(rows.map(({ signed }) => signer.sign(signed)));
    database.exec('BEGIN');
    for (const [i, { series, n, payload }] of rows.entries()) {
      insert.run(at + i, series, n, signatures[i] ?? null, payload);
    }
    database.exec('COMMIT');
  }
  database.prepare('UPDATE head SET size = ?').run(size);
  database.close();
  await (await openMade(root, pems, key)).close();
}

/** Entries of so many tasks in turn; one that is full gives its place to a new one. */
function chains() {
  const begin = () => ({ task: newId('task', Date.now()), n: 0, prev: noPredecessor });
  const open = Array.from({ length: tasksAtOnce }, begin);
  let count = 0;
  return () => {
    const place = count++ % tasksAtOnce;
    const chain = open[place] ?? begin();
    const { task, n, prev } = chain;
    const { payload, signed, digest } = outcome(task, n, prev);
    open[place] = n + 1 < entriesOfTask ? { task, n: n + 1, prev: digest } : begin();
    return { series: task, n, payload, signed };
  };
}

function outcome(task: string, n: number, prev: string): WrittenStatement {
  const sha256 = toHex(randomBytes(32));
  const action = newId('action', Date.now());
  // Loose: a task begins with task-opened, which these chains leave out.
  return writeStatement(
    {
      predicate: 'outcome',
      subject: { name: `action:${action}`, sha256 },
      origin,
      position: { task, chain: 'seq', n },
      prev,
      timeMs: Date.now(),
      observed: 'gateway-observed',
      separation: { agent: 'other-uid', tool: 'other-uid' },
      body: {
        ...{ action, intent: toHex(randomBytes(32)), status: 'ok', effects: null, anchor: null, supersedes: null },
        result: { sha256, size: 512, type: 'application/json', kept: true },
      },
    },
    { loose: true },
  );
}
