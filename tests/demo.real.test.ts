import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chownSync,
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
  consistencyProof,
  fromHex,
  judgeCheckpoint,
  layerNames,
  parseTrust,
  rootFromLeaves,
  toHex,
  verifyConsistency,
} from '@deed/evidence';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { changeOneByte, withoutFinding } from '../packages/cli/src/demo/tamper.ts';
import { proves } from './promises.ts';
import { type Ended, processesNaming, run, type Where } from './support/processes.ts';
import { readServedLog } from './support/served-log.ts';

const deed = [process.execPath, resolve(import.meta.dirname, '..', 'bin', 'deed.mjs')] as const;
const nobody = 65_534;

interface Told {
  readonly case: string;
  readonly trust: string;
  readonly data: string;
  readonly verdict: string;
  readonly actions: readonly { readonly layers: object; readonly result: string }[];
  readonly findings: readonly { readonly type: string }[];
  readonly checkpoint: { readonly origin: string; readonly size: number; readonly root: string };
}

/** A home, a place for temporary files and an empty folder, and an environment that says nothing else. */
class Place {
  readonly folder = realpathSync(mkdtempSync(join(tmpdir(), 'deed-newcomer-')));
  readonly home = join(this.folder, 'home');
  readonly empty = join(this.folder, 'empty');
  readonly where: Where;

  constructor(owner?: number) {
    const temporary = join(this.folder, 'tmp');
    for (const path of [this.home, this.empty, temporary]) mkdirSync(path);
    if (owner !== undefined) {
      for (const path of [this.folder, this.home, this.empty, temporary]) chownSync(path, owner, owner);
    }
    this.where = { cwd: this.empty, env: { PATH: process.env.PATH ?? '', HOME: this.home, TMPDIR: temporary } };
  }

  deed(...args: readonly string[]): Promise<Ended> {
    return run([...deed, ...args], this.where);
  }

  end(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** What the demo prints: exactly one JSON object on one line. */
function toldBy({ code, stdout, stderr }: Ended): Told {
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout.endsWith('\n')).toBe(true);
  expect(stdout.trimEnd()).not.toContain('\n');
  return JSON.parse(stdout) as Told;
}

describe('the demo, in an environment that says nothing but PATH, HOME and TMPDIR', () => {
  const place = new Place();
  let demo: Ended;
  let told: Told;
  beforeAll(async () => {
    demo = await place.deed('demo', '--json');
    told = toldBy(demo);
  }, 300_000);
  afterAll(() => place.end());

  const copy = (name: string, bytes: Uint8Array): string => {
    const file = join(place.folder, name);
    writeFileSync(file, bytes);
    return file;
  };
  const verified = async (...args: readonly string[]) => {
    const { code, stdout } = await place.deed('verify', ...args, '--json');
    return { code, ...(JSON.parse(stdout) as { readonly verdict: string; readonly checkpoint: unknown }) };
  };

  test('says what happened in one JSON object, and leaves no process behind', () => {
    proves('the-demo', 'hidden-found');
    expect(Object.keys(told)).toEqual(['case', 'trust', 'data', 'verdict', 'actions', 'findings', 'checkpoint']);
    expect(told.verdict).toBe('VERIFIED');
    expect(told.findings.map(({ type }) => type).sort()).toEqual(['hidden_side_effect', 'use_after_close']);
    expect(told.checkpoint).toEqual({
      origin: expect.stringMatching(/^[0-9a-f]{8}\.deed\.local$/),
      size: expect.any(Number),
      root: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    expect(told.actions.length).toBeGreaterThan(5);
    for (const action of told.actions) {
      expect(Object.keys(action)).toEqual(['agent', 'authority', 'resource', 'result', 'layers']);
      expect(Object.keys(action.layers).sort()).toEqual([...layerNames].sort());
    }
    for (const path of [told.case, told.trust, told.data]) expect(path.startsWith(place.folder)).toBe(true);
    expect(processesNaming(place.folder)).toEqual([]);
    expect(readdirSync(place.home), 'nothing is left in the home folder').toEqual([]);
  });

  test('its case is verified from an empty folder, without a server', async () => {
    proves('verify-offline', 'the-demo');
    const report = await verified(told.case, '--trust', told.trust);
    expect(report).toMatchObject({ code: 0, verdict: 'VERIFIED', checkpoint: told.checkpoint });
    expect(await verified(told.case)).toMatchObject({ code: 3, verdict: 'UNANCHORED' });
    expect(readdirSync(place.empty)).toEqual([]);
  });

  test('a copy that was cut, changed or robbed of its finding is not verified', async () => {
    proves('verify-offline', 'hidden-found', 'case-tamper');
    const bytes = readFileSync(told.case);
    const trust = ['--trust', told.trust];
    const cut = copy('cut.deed', bytes.subarray(0, bytes.length - 100));
    expect(await verified(cut, ...trust)).toMatchObject({ code: 2, verdict: 'unusable' });
    const changed = copy('changed.deed', changeOneByte(bytes));
    expect(await verified(changed, ...trust)).toMatchObject({ code: 5, verdict: 'FORGED' });
    const robbed = copy('robbed.deed', withoutFinding(bytes, 'hidden_side_effect'));
    expect(await verified(robbed, ...trust)).toMatchObject({ code: 4, verdict: 'INCOMPLETE' });
  });

  test('the folder left behind is sound, and its log continues the checkpoint that was reported', async () => {
    proves('the-demo');
    const checked = await place.deed('log', 'fsck', '--data', told.data, '--json');
    expect(checked.code).toBe(0);
    expect(JSON.parse(checked.stdout)).toMatchObject({ problems: [] });

    const [program = '', ...args] = [...deed, 'up', '--data', told.data, '--listen', '127.0.0.1:0', '--json'];
    const server = spawn(program, args, { ...place.where, stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = once(server, 'exit');
    try {
      const [line] = (await once(createInterface(server.stdout), 'line')) as [string];
      const { url } = JSON.parse(line) as { readonly url: string };
      const { note, checkpoint, leafHashes, tileHashes } = await readServedLog(`${url}/log/`);
      expect(judgeCheckpoint(note, parseTrust(readFileSync(told.trust, 'utf8')))).toMatchObject({
        logKeysOk: true,
        quorumMet: true,
      });
      expect(checkpoint.origin).toBe(told.checkpoint.origin);
      expect(leafHashes.map(toHex)).toEqual(tileHashes.map(toHex));
      expect(toHex(rootFromLeaves(leafHashes))).toBe(toHex(checkpoint.root));
      const { size, root } = told.checkpoint;
      const claim = { oldSize: size, newSize: checkpoint.size, oldRoot: fromHex(root), newRoot: checkpoint.root };
      expect(verifyConsistency({ ...claim, proof: consistencyProof(leafHashes, size) })).toBe(true);
      expect(processesNaming(place.folder), 'a process that runs is seen').not.toEqual([]);
      expect((await fetch(`${url}/v1/status`)).status, 'only the log is served there').toBe(404);
    } finally {
      server.kill('SIGTERM');
    }
    expect(await ended).toEqual([0, null]);
    expect(processesNaming(place.folder)).toEqual([]);
  });
});

test('the demo runs as a user without rights, without a network', async () => {
  proves('the-demo');
  const place = new Place(nobody);
  try {
    const asNobody = ['setpriv', `--reuid=${nobody}`, `--regid=${nobody}`, '--clear-groups', '--no-new-privs'];
    // A new network has no way out; only its loopback is brought up.
    const offline = ['unshare', '--net', 'sh', '-c', 'ip link set lo up && exec "$@"', 'sh'];
    const may = async (...command: readonly string[]) =>
      run(command, place.where).then(
        ({ code }) => code === 0,
        () => false,
      );
    if (!(await may(...asNobody, ...deed, '--help'))) {
      console.warn('SKIPPED: the demo as another user needs root, setpriv, and a checkout that others may read');
      return;
    }
    const isolated = await may(...offline, ...asNobody, 'true');
    if (!isolated) console.warn('SKIPPED: the demo without a network needs unshare and ip; it runs with one');
    const as = isolated ? [...offline, ...asNobody] : asNobody;
    const told = toldBy(await run([...as, ...deed, 'demo', '--json'], place.where));
    expect(told.verdict).toBe('VERIFIED');
    const verified = await run([...as, ...deed, 'verify', told.case, '--trust', told.trust, '--json'], place.where);
    expect(verified.code).toBe(0);
    expect(processesNaming(place.folder)).toEqual([]);
  } finally {
    place.end();
  }
}, 300_000);
