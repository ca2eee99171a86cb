import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import {
  consistencyProof,
  formatCheckpoint,
  formatNote,
  leafHash,
  parseCheckpoint,
  parseNote,
  rootFromLeaves,
  sha256,
  toBase64,
  toHex,
  utf8,
} from '@deed/evidence';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { initWitness, startWitness, trustLog } from '../../src/index.ts';
import { origin, World } from '../world.ts';

let world: World;
beforeEach(() => {
  world = new World();
});
afterEach(() => world.tidy());

const leaves = Array.from({ length: 3000 }, (_, i) => leafHash(utf8(`entry ${i}`)));

function request(old: number, size: number): string {
  const text = formatCheckpoint({ origin, size, root: rootFromLeaves(leaves.slice(0, size)) });
  const note = formatNote({ text, signatures: world.logKeys.signers.map((signer) => signer.sign(text, 1)) });
  const proof = consistencyProof(leaves.slice(0, size), old);
  return `old ${old}\n${proof.map((hash) => `${toBase64(hash)}\n`).join('')}\n${note}`;
}

/** A witness as a process of its own. `limit`: KiB beyond which no file may grow. */
async function start(limit?: string) {
  const module = new URL('../../src/index.ts', import.meta.url).href;
  const program = `import { startWitness } from ${JSON.stringify(module)};
    console.log((await startWitness({ stateFolder: ${JSON.stringify(world.stateFolder)} })).url);`;
  const node = [process.execPath, '--conditions=deed-source', '--input-type=module', '-e', program];
  const script = limit === undefined ? 'exec "$@"' : `ulimit -f ${limit}; exec "$@"`;
  const child = spawn('bash', ['-c', script, 'bash', ...node], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  const [url] = (await once(createInterface(child.stdout), 'line')) as [string];
  return { child, ended, url };
}

async function newest(url: string): Promise<number> {
  const answer = await fetch(`${url}/${toHex(sha256(utf8(origin)))}/checkpoint`);
  return answer.status === 404 ? 0 : parseCheckpoint(parseNote(await answer.text()).text).size;
}

test('a witness whose disk is full signs nothing, and goes on from what it signed when there is room again', async () => {
  initWitness(world.stateFolder, { name: 'witness.example/local' });
  trustLog(world.stateFolder, { origin, vkeys: world.logKeys.vkeys });
  // The kernel answers EFBIG in the middle of the database's work.
  const { child, ended, url } = await start('64');
  let size = 0;
  let failed = false;
  while (!failed && size < leaves.length) {
    const answer = await fetch(`${url}/add-checkpoint`, { method: 'POST', body: request(size, size + 1) }).catch(
      () => undefined,
    );
    if (answer?.status === 200) size++;
    else failed = true;
    if (answer) expect(answer.status).toBe(200);
  }
  expect(failed, 'the disk was never full').toBe(true);
  expect(size).toBeGreaterThan(0);
  child.kill('SIGKILL');
  await ended;

  const again = await startWitness({ stateFolder: world.stateFolder });
  world.closing(again);
  // What it could not answer it may have stored or not; what it answered it has.
  const known = await newest(again.url);
  expect([size, size + 1]).toContain(known);
  const next = await fetch(`${again.url}/add-checkpoint`, { method: 'POST', body: request(known, known + 1) });
  expect(next.status).toBe(200);
});

test('kill -9 at any moment leaves what was answered, or one more', async () => {
  initWitness(world.stateFolder, { name: 'witness.example/local' });
  trustLog(world.stateFolder, { origin, vkeys: world.logKeys.vkeys });
  let size = 0;
  for (let round = 0; round < (process.env.SLOW ? 100 : 12); round++) {
    const { child, ended, url } = await start();
    const known = await newest(url);
    expect([size, size + 1], `round ${round}`).toContain(known);
    size = known;
    // After so many answers it is killed, a random moment into the next request.
    for (let step = 0; step < round % 4; step++, size++) {
      const answer = await fetch(`${url}/add-checkpoint`, { method: 'POST', body: request(size, size + 1) });
      expect(answer.status).toBe(200);
    }
    const last = fetch(`${url}/add-checkpoint`, { method: 'POST', body: request(size, size + 1) });
    const answered = last.then(
      (answer) => answer.status,
      () => 0,
    );
    setTimeout(() => child.kill('SIGKILL'), Math.random() * 6);
    if ((await answered) === 200) size++;
    await ended;
  }
  const { child, ended, url } = await start();
  expect([size, size + 1]).toContain(await newest(url));
  child.kill('SIGKILL');
  await ended;
});
