import * as fs from 'node:fs';
import { join } from 'node:path';
import { statementDigest, toHex } from '@deed/evidence';
import { openReadOnly } from '@deed/store';
import { expect } from 'vitest';
import { readEntry } from '../src/index.ts';
import { History, serious } from './faults/history.ts';
import { Appender } from './faults/process.ts';
import type { World } from './world.ts';

export interface Kills {
  readonly rounds: number;
  /** After how many acknowledged entries a round is killed; 0 at some moment of its start. */
  readonly entriesOf: (round: number) => number;
  /** The whole log is checked after so many rounds. What a round was promised is checked after each. Default 1. */
  readonly fsckEvery?: number;
}

/**
 * Kills a writer and its witness with SIGKILL, round after round on the same folder. After each round every entry that it
 * acknowledged must be at its index. Returns all that was ever promised or shown; {@link History.holds} has been checked.
 */
export async function killRounds(world: World, { rounds, entriesOf, fsckEvery = 1 }: Kills): Promise<History> {
  const { folder, stateFolder } = world;
  const history = new History();
  for (let round = 0; round < rounds; round++) {
    const wanted = entriesOf(round);
    const before = history.acknowledged.size;
    const appender = new Appender(
      world,
      history,
      // The tiles are made here or in a thread of their own, in turn on the same folder.
      { stateFolder, writers: 40, ...(round % 2 === 1 ? { ownThreadFrom: 0 } : {}) },
      {
        onLine: (line, { child, acknowledged }) => {
          if (wanted > 0 ? acknowledged >= wanted : line.kind === 'opening') {
            if (wanted > 0) child.kill('SIGKILL');
            else setTimeout(() => child.kill('SIGKILL'), Math.random() * 60);
          }
        },
      },
    );
    appender.go();
    const { signal } = await appender.ended;
    expect(signal, `round ${round}: the writer ended by itself: ${appender.stderr}`).toBe('SIGKILL');
    if (fs.existsSync(join(folder, 'deed.db'))) {
      promised(folder, [...history.acknowledged].slice(before), `round ${round}`);
      learnShown(world, history);
      if ((round + 1) % fsckEvery === 0) {
        expect(serious(folder), `round ${round}`).toEqual([]);
        history.holds(folder, `round ${round}`);
      }
    }
  }
  await world.close(await world.ledger());
  expect(serious(folder), 'at the end').toEqual([]);
  history.holds(folder, 'at the end');
  return history;
}

function promised(folder: string, entries: readonly (readonly [number, string])[], what: string): void {
  const database = openReadOnly(folder);
  for (const [index, digest] of entries) {
    const entry = readEntry(database, index);
    expect(entry && toHex(statementDigest(entry.envelope.payload)), `${what}, entry ${index}`).toBe(digest);
  }
  database.close();
}

/** What the log serves and what its witness signed last. */
function learnShown({ folder, stateFolder }: World, history: History): void {
  const shown = join(folder, 'log/checkpoint');
  if (fs.existsSync(shown)) history.shown(fs.readFileSync(shown, 'utf8'));
  if (!fs.existsSync(join(stateFolder, 'witness.db'))) return;
  const database = openReadOnly(stateFolder, 'witness.db');
  for (const { note } of database.all<{ note: string }>('SELECT note FROM head')) history.shown(note);
  database.close();
}
