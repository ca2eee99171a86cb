import { execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import {
  type Checkpoint,
  consistencyProofFrom,
  fromHex,
  judgeCheckpoint,
  layerNames,
  memoryTree,
  parseCheckpoint,
  parseNote,
  parseTrust,
  rootOf,
  toHex,
  verifyConsistency,
} from '@deed/evidence';
import { tilePath, tileWidth } from '@deed/ledger';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { proves } from './promises.ts';

const bin = resolve(import.meta.dirname, '..', 'bin', 'deed.mjs');
const nobody = 65_534;

interface Told {
  readonly case: string;
  readonly trust: string;
  readonly data: string;
  readonly verdict: string;
  readonly actions: readonly Record<string, unknown>[];
  readonly findings: readonly { readonly type: string }[];
  readonly checkpoint: { readonly origin: string; readonly size: number; readonly root: string };
}

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A stranger's account: a home, a folder for temporary files, an empty folder to stand in, and nothing else. */
class Account {
  readonly base = realpathSync(mkdtempSync(join(tmpdir(), 'deed-stranger-')));
  readonly home = join(this.base, 'home');
  readonly temp = join(this.base, 'tmp');
  readonly empty = join(this.base, 'empty');
  readonly env = { PATH: process.env.PATH ?? '', HOME: this.home, TMPDIR: this.temp };

  constructor(uid?: number) {
    for (const folder of [this.home, this.temp, this.empty]) mkdirSync(folder);
    if (uid !== undefined) for (const it of [this.base, this.home, this.temp, this.empty]) chownSync(it, uid, uid);
  }

  run(program: string, ...args: readonly string[]): Promise<Ended> {
    const options = { cwd: this.empty, env: this.env, timeout: 120_000, maxBuffer: 64 * 1024 * 1024 };
    return new Promise((done) => {
      execFile(program, args, options, (error, stdout, stderr) => {
        done({ code: error ? Number(error.code ?? -1) : 0, stdout, stderr });
      });
    });
  }

  deed(...args: readonly string[]): Promise<Ended> {
    return this.run('node', bin, ...args);
  }

  /** Command lines of the processes that live on in this account. */
  processes(): string[] {
    if (!existsSync('/proc/self/environ')) return []; // not Linux
    return readdirSync('/proc')
      .filter((name) => /^[0-9]+$/.test(name))
      .flatMap((pid) => {
        try {
          const read = (file: string) => readFileSync(`/proc/${pid}/${file}`, 'latin1');
          const line = read('cmdline').replaceAll('\0', ' ');
          return line.includes(this.base) || read('environ').includes(this.base) ? [`${pid} ${line}`] : [];
        } catch {
          return []; // it ended meanwhile, or is another user's
        }
      });
  }

  remove(): void {
    rmSync(this.base, { recursive: true, force: true });
  }
}

/** `deed up` on the folder that the demo left, for as long as `use` takes. */
async function served<T>(account: Account, data: string, use: (url: string) => Promise<T>): Promise<T> {
  const args = [bin, 'up', '--data', data, '--listen', '127.0.0.1:0', '--json', '--with-parent'];
  const child = spawn('node', args, { cwd: account.empty, env: account.env, stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  try {
    const first = await Promise.race([once(createInterface(child.stdout), 'line'), ended]);
    const { ready, url } = JSON.parse(String(first[0])) as { readonly ready: boolean; readonly url: string };
    expect(ready).toBe(true);
    return await use(url);
  } finally {
    child.stdin.end();
    expect((await ended)[0]).toBe(0);
  }
}

/** The leaf hashes of a log, from its level 0 tiles. */
async function leafHashes(url: string, size: number): Promise<Uint8Array[]> {
  const hashes: Uint8Array[] = [];
  for (let at = 0; at < size; at += tileWidth) {
    const width = Math.min(tileWidth, size - at);
    const response = await fetch(`${url}/log/${tilePath({ level: 0, index: at / tileWidth, width })}`);
    expect(response.status).toBe(200);
    const bytes = new Uint8Array(await response.arrayBuffer());
    expect(bytes).toHaveLength(width * 32);
    for (let i = 0; i < width; i++) hashes.push(bytes.slice(i * 32, (i + 1) * 32));
  }
  return hashes;
}

function checkTold(told: Told, base: string): void {
  expect(Object.keys(told)).toEqual(['case', 'trust', 'data', 'verdict', 'actions', 'findings', 'checkpoint']);
  for (const path of [told.case, told.trust, told.data]) expect(path.startsWith(`${base}/`)).toBe(true);
  expect(told.verdict).toBe('VERIFIED');
  expect(told.actions.length).toBeGreaterThan(5);
  for (const action of told.actions) {
    expect(Object.keys(action)).toEqual(['agent', 'authority', 'resource', 'result', 'layers']);
    for (const key of ['agent', 'authority', 'resource', 'result']) expect(action[key]).toMatch(/\S/);
    expect(Object.keys(action.layers as object).sort()).toEqual([...layerNames].sort());
  }
  expect(told.findings.map(({ type }) => type).sort()).toEqual(['hidden_side_effect', 'use_after_close']);
  expect(Object.keys(told.checkpoint)).toEqual(['origin', 'size', 'root']);
  expect(told.checkpoint.root).toMatch(/^[0-9a-f]{64}$/);
}

describe('the demo, run by somebody who has nothing', () => {
  let account: Account;
  let demo: Ended;
  let told: Told;
  beforeAll(async () => {
    account = new Account();
    demo = await account.deed('demo', '--json');
    told = JSON.parse(demo.stdout) as Told;
  }, 120_000);
  afterAll(() => account.remove());

  test('prints one JSON object of the stated shape, and leaves no process behind', () => {
    proves('the-demo');
    expect(demo).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\{.*\}\n$/) });
    checkTold(told, account.base);
    expect(account.processes()).toEqual([]);
    expect(readdirSync(account.empty)).toEqual([]);
    expect(readdirSync(account.home)).toEqual([]);
  });

  test('its case verifies from an empty folder with no server, and says less where less is known', async () => {
    proves('the-demo', 'verify-offline');
    const verified = await account.deed('verify', told.case, '--trust', told.trust, '--json');
    expect(verified).toMatchObject({ code: 0, stderr: '' });
    const report = JSON.parse(verified.stdout) as Told;
    expect(report).toMatchObject({ verdict: 'VERIFIED', checkpoint: told.checkpoint, findings: told.findings });
    const unpinned = await account.deed('verify', told.case, '--json');
    expect(unpinned.code).toBe(3);
    expect(JSON.parse(unpinned.stdout)).toMatchObject({ verdict: 'UNANCHORED' });
    const bytes = readFileSync(told.case);
    for (const [name, part] of [
      ['cut.deed', bytes.subarray(0, bytes.length - 1000)],
      ['empty.deed', new Uint8Array()],
    ] as const) {
      const file = join(account.temp, name);
      writeFileSync(file, part);
      const unusable = await account.deed('verify', file, '--trust', told.trust, '--json');
      expect(unusable.code, name).toBe(2);
      expect(JSON.parse(unusable.stdout)).toMatchObject({ verdict: 'unusable' });
    }
  });

  test('the log that it left behind is served, continues the reported checkpoint and is sound', async () => {
    proves('the-demo');
    const trust = parseTrust(readFileSync(told.trust, 'utf8'));
    await served(account, told.data, async (url) => {
      const note = await (await fetch(`${url}/log/checkpoint`)).text();
      const { badSignatures, quorumMet } = judgeCheckpoint(note, trust);
      expect({ badSignatures, quorumMet }).toEqual({ badSignatures: [], quorumMet: true });
      const now: Checkpoint = parseCheckpoint(parseNote(note).text);
      const { origin, size, root } = told.checkpoint;
      expect(now.origin).toBe(origin);
      expect(now.size).toBeGreaterThanOrEqual(size);
      const tree = memoryTree(await leafHashes(url, now.size));
      expect(toHex(rootOf(tree, now.size))).toBe(toHex(now.root));
      const proof = consistencyProofFrom(tree, size, now.size);
      const claim = { oldSize: size, oldRoot: fromHex(root), newSize: now.size, newRoot: now.root, proof };
      expect(verifyConsistency(claim)).toBe(true);
      expect(verifyConsistency({ ...claim, oldRoot: now.root })).toBe(size === now.size);
    });
    const fsck = await account.deed('log', 'fsck', '--data', told.data, '--json');
    expect(fsck.code).toBe(0);
    expect(JSON.parse(fsck.stdout)).toMatchObject({ ok: true, problems: [] });
    expect(account.processes()).toEqual([]);
  });
});

const sandbox = 'ip link set lo up && exec setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all -- "$@"';
const canSandbox = spawnSync('unshare', ['-n', 'sh', '-c', sandbox, 'sh', 'true']).status === 0;
if (!canSandbox) {
  console.warn(
    'SKIPPED the demo without root and without a network: it needs root, unshare, setpriv and ip to be set up',
  );
}

describe.skipIf(!canSandbox)('the demo, run without root in a network of nothing but lo', () => {
  test('tells the same story', async () => {
    proves('the-demo');
    const account = new Account(nobody);
    try {
      const ended = await account.run('unshare', '-n', 'sh', '-c', sandbox, 'sh', 'node', bin, 'demo', '--json');
      expect(ended, ended.stderr).toMatchObject({ code: 0 });
      checkTold(JSON.parse(ended.stdout) as Told, account.base);
      expect(account.processes()).toEqual([]);
    } finally {
      account.remove();
    }
  });
});
