import { spawn } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
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
import {
  initWitness,
  type LogKeys,
  loadLogKeys,
  makeLogKeys,
  startWitness,
  trustLog,
  type Witness,
  witnessAddress,
  witnessedLogs,
} from '../../src/index.ts';
import { codeOf, origin, World } from '../world.ts';

let world: World;
let witness: Witness;
let vkey: string;
beforeEach(async () => {
  world = new World();
  witness = (await world.witness()).witness;
  vkey = witness.vkeys[0] ?? '';
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

async function post(body: string, url = witness.url): Promise<{ status: number; type: string | null; text: string }> {
  const response = await fetch(`${url}/add-checkpoint`, { method: 'POST', body });
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
      expect(verifyNote({ text, signatures }, [noteVerifier(parseVkey(vkey))]).length).toBe(1);
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
    const newestUrl = `${witness.url}/${toHex(sha256(utf8(origin)))}/checkpoint`;
    expect((await fetch(newestUrl, { method: 'POST', body: signed(5) })).status).toBe(405);
    expect((await fetch(newestUrl, { method: 'HEAD' })).status).toBe(200);
    for (const path of ['/nothing', '/sign-subtree', `/${toHex(sha256(utf8(origin))).toUpperCase()}/checkpoint`]) {
      expect((await fetch(`${witness.url}${path}`)).status, path).toBe(404);
    }
  });

  test('takes a first checkpoint of size 0 only with the empty root, and the same one again', async () => {
    const text = formatCheckpoint({ origin, size: 0, root: sha256(utf8('not empty')) });
    const signatures = world.logKeys.signers.map((signer) => signer.sign(text, 1));
    expect((await post(`old 0\n\n${formatNote({ text, signatures })}`)).status).toBe(422);
    expect((await post(`old 0\n${toBase64(emptyRoot())}\n\n${signed(3)}`)).status).toBe(422);
    expect((await post(request(0, 0))).status).toBe(200);
    expect((await post(request(0, 0))).status).toBe(200);
    expect((await post(request(0, 3))).status).toBe(200);
  });

  test('reads sixteen signatures of others, and answers what is too long without reading it all', async () => {
    const others = Array.from(
      { length: 16 },
      (_, i) => `— other.example/${i} ${toBase64(new Uint8Array(2432).fill(i + 1))}\n`,
    );
    expect((await post(request(0, 3, leaves, signed(3) + others.join('')))).status).toBe(200);
    const many = Array.from({ length: 64 }, (_, i) => `— other.example/${i} AAAAAAAA\n`).join('');
    expect((await post(request(3, 8, leaves, signed(8) + many))).status).toBe(400);
    expect((await post(`old 3\n${'x'.repeat(300_000)}`)).status).toBe(413);
    expect((await post(request(3, 8))).status).toBe(200);
  });

  test('signs with each of its keys, also with ML-DSA-44 alone', async () => {
    for (const keys of [['ed25519', 'ml-dsa-44'], ['ml-dsa-44']] as const) {
      const { witness: other } = await world.witness(keys.join('-'), { keys });
      expect(other.vkeys.map((one) => parseVkey(one).type)).toEqual(keys.map((kind) => (kind === 'ed25519' ? 4 : 6)));
      const answer = await post(request(0, 3), other.url);
      const signatures = answer.text.trimEnd().split('\n').map(parseSignatureLine);
      const verifiers = other.vkeys.map((one) => noteVerifier(parseVkey(one)));
      expect(verifyNote({ text: parseNote(signed(3)).text, signatures }, verifiers).length).toBe(keys.length);
      const stored = await (await fetch(`${other.url}/${toHex(sha256(utf8(origin)))}/checkpoint`)).text();
      expect(verifyNote(parseNote(stored), verifiers).length).toBe(keys.length);
    }
  });

  test('keeps the logs it watches over apart', async () => {
    const origins = Array.from({ length: 5 }, (_, i) => `log.example/other-${i}`);
    const keys = origins.map((name) => loadLogKeys(name, makeLogKeys()));
    for (const log of keys) trustLog(world.stateFolder, log);
    const note = (log: LogKeys, size: number, tree: readonly Uint8Array[]) => {
      const text = formatCheckpoint({ origin: log.origin, size, root: rootFromLeaves(tree.slice(0, size)) });
      return formatNote({ text, signatures: log.signers.map((signer) => signer.sign(text, 1)) });
    };
    const first = await Promise.all(keys.map((log, i) => post(request(0, 12 + i, leaves, note(log, 12 + i, leaves)))));
    expect(first.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    const [one, two] = keys;
    if (!one || !two) throw new Error('no logs');
    // Each key is good for its own origin only.
    const text = formatCheckpoint({ origin: one.origin, size: 20, root: rootFromLeaves(leaves) });
    const signatures = two.signers.map((signer) => signer.sign(text, 1));
    expect((await post(request(12, 20, leaves, formatNote({ text, signatures })))).status).toBe(403);
    expect((await post(request(12, 20, leaves, note(one, 20, leaves)))).status).toBe(200);
    expect(witnessedLogs(world.stateFolder).map(({ origin: name, cosigned }) => [name, cosigned?.size])).toEqual([
      [one.origin, 20],
      ...keys.slice(1).map((log, i) => [log.origin, 13 + i]),
      [origin, undefined],
    ]);
  });

  test('signs one of many concurrent continuations and never a smaller or a forked tree', async () => {
    proves('witness-atomic');
    await post(request(0, 12));
    const bodies = [13, 14, 15, 16, 17, 18, 19, 20].flatMap((size) => [request(12, size), request(12, size, fork)]);
    const answers = await Promise.all(bodies.map((body) => post(body)));
    expect(answers.filter((answer) => answer.status === 200).length).toBe(1);
    expect(answers.filter((answer) => answer.status === 409).length).toBe(bodies.length - 1);
    const size = await newest();
    const won = answers.findIndex((answer) => answer.status === 200);
    expect(size).toBe(13 + Math.floor(won / 2));
    expect((await post(request(size, 12))).status).toBe(400);
    expect((await post(request(12, 13, fork))).status).toBe(409);
  });

  test('stores only signatures it verified, its own included', async () => {
    const poisoned = `${signed(3)}— witness.example/local ${toBase64(new Uint8Array(76).fill(7))}\n`;
    expect((await post(request(0, 3, leaves, poisoned))).status).toBe(200);
    const stored = await (await fetch(`${witness.url}/${toHex(sha256(utf8(origin)))}/checkpoint`)).text();
    expect(stored.match(/— witness\.example\/local/g)?.length).toBe(1);
    const keys = [...world.logKeys.vkeys, vkey].map(parseVkey);
    expect(verifyNote(parseNote(stored), keys.map(noteVerifier)).length).toBe(3);
  });

  test('has stored what it answered, also when it is killed at once', async () => {
    proves('witness-atomic');
    await world.close(witness);
    const module = new URL('../../src/index.ts', import.meta.url).href;
    const program = `import { startWitness } from ${JSON.stringify(module)};
      console.log((await startWitness({ stateFolder: ${JSON.stringify(world.stateFolder)} })).url);`;
    let size = 0;
    for (let round = 0; round < 2; round++) {
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
    expect(initWitness(stateFolder, { name: 'witness.example/local' })).toEqual([vkey]);
    const refused = (run: () => unknown) => {
      try {
        run();
      } catch (error) {
        return codeOf(error);
      }
    };
    expect(refused(() => initWitness(stateFolder, { name: 'witness.example/other' }))).toBe('witness');
    expect(refused(() => initWitness(stateFolder, { name: 'witness.example/local', keys: ['ml-dsa-44'] }))).toBe(
      'witness',
    );
    expect(refused(() => trustLog(stateFolder, { origin: 'two\nlines', vkeys: world.logKeys.vkeys }))).toBe('witness');
    trustLog(stateFolder, { origin, vkeys: world.logKeys.vkeys });
    expect(refused(() => trustLog(stateFolder, { origin, vkeys: world.logKeys.vkeys.slice(1) }))).toBe('witness');
    expect(refused(() => trustLog(stateFolder, { origin: 'log.example/b', vkeys: [] }))).toBe('witness');
    expect(refused(() => trustLog(stateFolder, { origin: 'log.example/b', vkeys: ['x'] }))).toBe('key');
    await expect(startWitness({ stateFolder })).rejects.toMatchObject({ code: 'locked' });
    await expect(startWitness({ stateFolder: join(world.root, 'none') })).rejects.toMatchObject({ code: 'witness' });
    expect(fs.statSync(join(stateFolder, 'witness-key.pem')).mode & 0o777).toBe(0o600);
    expect(witnessAddress(stateFolder)).toBe(witness.url);
  });

  test('has signed when its answer is lost, and the same request is answered again', async () => {
    const lossy = createServer((incoming, response) => {
      const forward = httpRequest(`${witness.url}${incoming.url}`, { method: incoming.method }, (answer) => {
        answer.resume().once('end', () => response.destroy());
      });
      incoming.pipe(forward);
    });
    lossy.listen(0, '127.0.0.1');
    await once(lossy, 'listening');
    const url = `http://127.0.0.1:${(lossy.address() as AddressInfo).port}`;
    await expect(post(request(0, 7), url)).rejects.toThrow();
    expect(await newest()).toBe(7);
    expect(await post(request(0, 7))).toMatchObject({ status: 409, text: '7\n' });
    expect((await post(request(7, 7))).status).toBe(200);
    lossy.closeAllConnections();
    lossy.close();
  });

  test('without its memory does not start, so that its key never signs a second history', async () => {
    await post(request(0, 12));
    await world.close(witness);
    for (const name of fs.readdirSync(world.stateFolder).filter((file) => file.startsWith('witness.db'))) {
      fs.rmSync(join(world.stateFolder, name));
    }
    await expect(startWitness({ stateFolder: world.stateFolder })).rejects.toMatchObject({ code: 'witness' });
    expect(() => initWitness(world.stateFolder, { name: 'witness.example/local' })).toThrow(
      /lost the witness's memory/,
    );
    expect(() => trustLog(world.stateFolder, { origin, vkeys: world.logKeys.vkeys })).toThrow(/lost/);
  });

  test('never signs with an earlier time than before', async () => {
    let now = 2_000_000_000_000;
    const other = (await world.witness('clocked', { clock: () => now })).witness;
    const add = async (body: string) => (await fetch(`${other.url}/add-checkpoint`, { method: 'POST', body })).text();
    const time = (line: string) => Buffer.from(parseSignatureLine(line.trimEnd()).signature).readBigUInt64BE();
    const first = time(await add(request(0, 3)));
    now -= 1_000_000;
    expect(time(await add(request(3, 4)))).toBe(first);
  });
});
