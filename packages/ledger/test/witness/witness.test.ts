import { spawn } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { join } from 'node:path';
import {
  consistencyProof,
  emptyRoot,
  formatCheckpoint,
  formatNote,
  leafHash,
  noteVerifier,
  parseCheckpoint,
  parseNote,
  parseSignatureLine,
  parseVkey,
  rootFromLeaves,
  sha256,
  toBase64,
  toHex,
  utf8,
  verifyNote,
} from '@deed/evidence';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { proves } from '../../../../tests/promises.ts';
import { initWitness, startWitness, trustLog, type Witness, witnessAddress } from '../../src/index.ts';
import { codeOf, origin, World } from '../world.ts';

let world: World;
let witness: Witness;
beforeEach(async () => {
  world = new World();
  witness = (await world.witness()).witness;
});
afterEach(() => world.tidy());

const leaves = Array.from({ length: 20 }, (_, i) => leafHash(utf8(`entry ${i}`)));
const fork = leaves.map((leaf, i) => (i < 12 ? leaf : leafHash(utf8(`other ${i}`))));

function signed(size: number, tree = leaves, name = origin): string {
  const root = size === 0 ? emptyRoot() : rootFromLeaves(tree.slice(0, size));
  const text = formatCheckpoint({ origin: name, size, root });
  return formatNote({ text, signatures: world.logKeys.signers.map((signer) => signer.sign(text, 1)) });
}

function request(old: number, size: number, tree = leaves, note = signed(size, tree)): string {
  const proof = old <= size ? consistencyProof(tree.slice(0, size), old) : [];
  return `old ${old}\n${proof.map((hash) => `${toBase64(hash)}\n`).join('')}\n${note}`;
}

async function post(body: string): Promise<{ status: number; type: string | null; text: string }> {
  const response = await fetch(`${witness.url}/add-checkpoint`, { method: 'POST', body });
  return { status: response.status, type: response.headers.get('content-type'), text: await response.text() };
}

async function newest(): Promise<number> {
  const response = await fetch(`${witness.url}/${toHex(sha256(utf8(origin)))}/checkpoint`);
  return response.status === 404 ? 0 : parseCheckpoint(parseNote(await response.text()).text).size;
}

describe('a witness', () => {
  test('cosigns a log that grows, with a signature that its vkey verifies', async () => {
    for (const [old, size] of [
      [0, 3],
      [3, 3],
      [3, 8],
      [8, 20],
    ] as const) {
      const answer = await post(request(old, size));
      expect(answer.status, answer.text).toBe(200);
      const signatures = [parseSignatureLine(answer.text.trimEnd())];
      const { text } = parseNote(signed(size));
      expect(verifyNote({ text, signatures }, [noteVerifier(parseVkey(witness.vkey))]).length).toBe(1);
      expect(await newest()).toBe(size);
    }
  });

  test('answers each wrong request as tlog-witness says', async () => {
    await post(request(0, 5));
    const badSignature = signed(8).replace(/(— \S+ \S{20})(.)/, (_, head, c) => `${head}${c === 'A' ? 'B' : 'A'}`);
    const wrong: readonly (readonly [string, number, string])[] = [
      ['not a request', 400, 'nonsense'],
      ['leading zero', 400, request(5, 8).replace('old 5', 'old 05')],
      [
        'extension line',
        400,
        request(5, 8).replace(`${origin}\n8\n`, `${origin}\n8\n`).replace('=\n\n—', '=\nmore\n\n—'),
      ],
      ['too many hashes', 400, `old 5\n${`${toBase64(emptyRoot())}\n`.repeat(64)}\n${signed(8)}`],
      ['unknown log', 404, request(5, 8, leaves, signed(8, leaves, 'log.example/unknown'))],
      ['bad signature', 403, request(5, 8, leaves, badSignature)],
      ['no known signature', 403, request(5, 8, leaves, signed(8).replaceAll(`— ${origin}`, '— other.example'))],
      ['old above size', 400, request(9, 8)],
      ['old not the newest', 409, request(4, 8)],
      ['no proof', 422, `old 5\n\n${signed(8)}`],
      [
        'another root of the same size',
        422,
        request(
          5,
          5,
          leaves.map((leaf) => sha256(leaf)),
        ),
      ],
      [
        'another tree',
        422,
        request(
          5,
          8,
          leaves.map((leaf) => sha256(leaf)),
        ),
      ],
    ];
    for (const [name, status, body] of wrong) expect((await post(body)).status, name).toBe(status);
    expect(await post(request(0, 8))).toMatchObject({ status: 409, type: 'text/x.tlog.size', text: '5\n' });
    expect(await newest()).toBe(5);
    expect((await fetch(`${witness.url}/add-checkpoint`)).status).toBe(405);
    expect((await fetch(`${witness.url}/nothing`)).status).toBe(404);
  });

  test('signs one of many concurrent continuations and never a smaller or a forked tree', async () => {
    proves('witness-atomic');
    await post(request(0, 12));
    const bodies = [13, 14, 15, 16, 17, 18, 19, 20].flatMap((size) => [request(12, size), request(12, size, fork)]);
    const answers = await Promise.all(bodies.map(post));
    expect(answers.filter((answer) => answer.status === 200).length).toBe(1);
    expect(answers.filter((answer) => answer.status === 409).length).toBe(bodies.length - 1);
    const size = await newest();
    expect((await post(request(size, 12))).status).toBe(400);
    expect((await post(request(12, 13, fork))).status).toBe(409);
  });

  test('stores only signatures it verified, its own included', async () => {
    const poisoned = `${signed(3)}— witness.example/local ${toBase64(new Uint8Array(76).fill(7))}\n`;
    expect((await post(request(0, 3, leaves, poisoned))).status).toBe(200);
    const stored = await (await fetch(`${witness.url}/${toHex(sha256(utf8(origin)))}/checkpoint`)).text();
    expect(stored.match(/— witness\.example\/local/g)?.length).toBe(1);
    const keys = [...world.logKeys.vkeys, witness.vkey].map(parseVkey);
    expect(verifyNote(parseNote(stored), keys.map(noteVerifier)).length).toBe(3);
  });

  test('has stored what it answered, also when it is killed at once', async () => {
    proves('witness-atomic');
    await world.close(witness);
    const module = new URL('../../src/index.ts', import.meta.url).href;
    const program = `import { startWitness } from ${JSON.stringify(module)};
      console.log((await startWitness({ stateFolder: ${JSON.stringify(world.stateFolder)} })).url);`;
    let size = 0;
    for (let round = 0; round < 4; round++) {
      const child = spawn(process.execPath, ['--conditions=deed-source', '--input-type=module', '-e', program]);
      child.stderr.pipe(process.stderr);
      await once(child.stdout, 'data');
      const url = witnessAddress(world.stateFolder) ?? '';
      for (let step = 0; step < 4; step++) {
        const body = request(size, size + 1);
        const answer = await fetch(`${url}/add-checkpoint`, { method: 'POST', body });
        expect(answer.status, await answer.text()).toBe(200);
        size++;
      }
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    witness = await startWitness({ stateFolder: world.stateFolder });
    expect(await newest()).toBe(size);
    await witness.close();
  });

  test('has one name, one key, one runner, and knows a log by one set of keys', async () => {
    const { stateFolder } = world;
    expect(initWitness(stateFolder, { name: 'witness.example/local' })).toBe(witness.vkey);
    const refused = (run: () => unknown) => {
      try {
        run();
      } catch (error) {
        return codeOf(error);
      }
    };
    expect(refused(() => initWitness(stateFolder, { name: 'witness.example/other' }))).toBe('witness');
    trustLog(stateFolder, { origin, vkeys: world.logKeys.vkeys });
    expect(refused(() => trustLog(stateFolder, { origin, vkeys: world.logKeys.vkeys.slice(1) }))).toBe('witness');
    expect(refused(() => trustLog(stateFolder, { origin: 'log.example/b', vkeys: [] }))).toBe('witness');
    expect(refused(() => trustLog(stateFolder, { origin: 'log.example/b', vkeys: ['x'] }))).toBe('key');
    await expect(startWitness({ stateFolder })).rejects.toMatchObject({ code: 'locked' });
    await expect(startWitness({ stateFolder: join(world.root, 'none') })).rejects.toMatchObject({ code: 'witness' });
    expect(fs.statSync(join(stateFolder, 'witness-key.pem')).mode & 0o777).toBe(0o600);
    expect(witnessAddress(stateFolder)).toBe(witness.url);
  });

  test('never signs with an earlier time than before', async () => {
    let now = 2_000_000_000_000;
    const other = (await world.witness('clocked', () => now)).witness;
    const add = async (body: string) => (await fetch(`${other.url}/add-checkpoint`, { method: 'POST', body })).text();
    const time = (line: string) => Buffer.from(parseSignatureLine(line.trimEnd()).signature).readBigUInt64BE();
    const first = time(await add(request(0, 3)));
    now -= 1_000_000;
    expect(time(await add(request(3, 4)))).toBe(first);
  });
});
