import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { statementDigest, toHex } from '@deed/evidence';
import { openReadOnly } from '@deed/store';
import { expect } from 'vitest';
import { fsck, readEntries } from '../src/index.ts';
import { origin, type World } from './world.ts';

/**
 * Kills a writer with SIGKILL after some acknowledged entries, round after round on the same folder. After each round every
 * acknowledged entry must be at its index, and fsck must find nothing but what the next start puts right. Returns how many were acknowledged.
 */
export async function killRounds(world: World, rounds: number, entriesOf: (round: number) => number): Promise<number> {
  const configFile = join(world.root, 'writer.json');
  const { folder, stateFolder, pems, signerPem } = world;
  writeFileSync(configFile, JSON.stringify({ folder, stateFolder, pems, signerPem, origin }));
  const acked = new Map<number, string>();
  const program = fileURLToPath(new URL('./crash-writer.ts', import.meta.url));
  for (let round = 0; round < rounds; round++) {
    const child = spawn(process.execPath, ['--conditions=deed-source', program, configFile]);
    child.stderr.pipe(process.stderr);
    const exited = once(child, 'exit');
    const wanted = entriesOf(round);
    let count = 0;
    // Lines printed before the kill may still lie in the pipe: they were promised too.
    for await (const line of createInterface(child.stdout)) {
      const [index = '', digest = ''] = line.split(' ');
      if (!/^[0-9a-f]{64}$/.test(digest)) continue;
      acked.set(Number(index), digest);
      if (++count === wanted) child.kill('SIGKILL');
    }
    const [, signal] = await exited;
    expect(signal, `round ${round}: the writer ended by itself`).toBe('SIGKILL');

    const report = fsck(folder);
    const serious = report.problems.filter(({ code }) => code !== 'unfinished');
    expect(serious, `round ${round}`).toEqual([]);
    const database = openReadOnly(folder);
    const digests = readEntries(database, 0, report.entries).map((entry) =>
      toHex(statementDigest(entry.envelope.payload)),
    );
    database.close();
    for (const [index, digest] of acked) expect(digests[index], `round ${round}, entry ${index}`).toBe(digest);
  }
  return acked.size;
}
