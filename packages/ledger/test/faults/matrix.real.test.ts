import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { startWitness, type Witness } from '../../src/index.ts';
import { draft, origin, World } from '../world.ts';
import { aftermath, History } from './history.ts';
import { type Fault, faults, type Plan } from './inject.ts';
import type { Line, Task } from './writer.ts';

vi.setConfig({ testTimeout: process.env.SLOW ? 6 * 3_600_000 : 1_800_000 });

const world = new World();
const program = fileURLToPath(new URL('./writer.ts', import.meta.url));
const configFile = join(world.root, 'writer.json');
/** Just before the first full tile and the first full bundle. */
const entriesBefore = 251;
const templateHistory = new History();
let witnessVkey = '';

beforeAll(async () => {
  fs.writeFileSync(configFile, JSON.stringify({ origin, pems: world.pems, signerPem: world.signerPem }));
  const { endpoint, witness } = await world.witness();
  witnessVkey = endpoint.vkey;
  const ledger = await world.ledger({ witnesses: [endpoint], publishIntervalMs: 1000 });
  const records = Array.from({ length: entriesBefore }, (_, i) => ledger.record(draft('deployment', i)));
  for (const record of records) templateHistory.acknowledge((await record.durable).index, record.digest);
  templateHistory.shown((await records.at(-1)?.witnessed())?.note ?? '');
  await world.close(ledger);
  await world.close(witness);
});
afterAll(() => world.tidy());

/** A copy of the prepared log with a witness of its own, which knows it as far as it goes. */
class Trial {
  private static count = 0;
  readonly root = join(world.root, `trial-${Trial.count++}`);
  readonly folder = join(this.root, 'data');
  readonly history = new History();
  private witness: Witness | undefined;

  async begin(): Promise<this> {
    fs.mkdirSync(this.root);
    fs.cpSync(world.folder, this.folder, { recursive: true });
    fs.cpSync(world.stateFolder, join(this.root, 'witness'), { recursive: true });
    this.witness = await startWitness({ stateFolder: join(this.root, 'witness') });
    for (const [index, digest] of templateHistory.acknowledged) this.history.acknowledge(index, digest);
    return this;
  }

  get witnesses() {
    return [{ name: 'local', vkey: witnessVkey, url: this.witness?.url ?? '' }];
  }

  task(after: Task['after'], plan?: Plan): Task {
    const { folder, witnesses } = this;
    return plan ? { folder, witnesses, after, plan } : { folder, witnesses, after };
  }

  learn(line: Line): void {
    if (line.kind === 'acknowledged') this.history.acknowledge(line.index, line.digest);
    if (line.kind === 'signed') this.history.signed(line.text);
    if (line.kind === 'published') this.history.shown(line.note);
  }

  async end(what: string): Promise<void> {
    const shown = join(this.folder, 'log/checkpoint');
    if (fs.existsSync(shown)) this.history.shown(fs.readFileSync(shown, 'utf8'));
    const { logKeys, signerPem } = world;
    await aftermath({ folder: this.folder, logKeys, signerPem, witnesses: this.witnesses }, this.history, what);
    await this.witness?.close();
    fs.rmSync(this.root, { recursive: true });
  }
}

/** A writer that has loaded its modules and waits for its task. */
function writer(): ChildProcessWithoutNullStreams {
  const env = { ...process.env, NODE_COMPILE_CACHE: join(world.root, 'compiled') };
  const child = spawn(process.execPath, ['--conditions=deed-source', program, configFile], { env });
  child.stderr.resume();
  return child;
}

async function perform(child: ChildProcessWithoutNullStreams, trial: Trial, task: Task) {
  const exited = once(child, 'exit');
  child.stdin.end(`${JSON.stringify(task)}\n`);
  let done: readonly string[] | undefined;
  for await (const text of createInterface(child.stdout)) {
    const line: Line = JSON.parse(text);
    trial.learn(line);
    if (line.kind === 'done') done = line.steps;
  }
  const [code, signal] = await exited;
  return { code, signal, done };
}

async function listedSteps(): Promise<readonly string[]> {
  const trial = await new Trial().begin();
  const { done, code } = await perform(writer(), trial, trial.task('exit'));
  expect(code).toBe(0);
  await trial.end('without a fault');
  return done ?? [];
}

describe('every write step, with every fault', () => {
  test('loses nothing that was acknowledged, signs no second history, and the next start goes on', async () => {
    const listed = await listedSteps();
    // In CI the first of each kind, and not those that only begin or end a write.
    const steps = process.env.SLOW
      ? listed.filter((step) => !/^commit entry (?!1$)/.test(step))
      : listed.filter((step) => / 1$/.test(step) && !/^(close|open folder) /.test(step));
    for (const wanted of [
      'commit entry 1',
      'commit checkpoint 1',
      'link full tile 1',
      'link full bundle 1',
      'fsync full tile 1',
      'fsync folder of full bundle 1',
      'link partial tile 1',
      'rename checkpoint 1',
      'fsync folder of checkpoint 1',
      'drop partials of full tile 1',
    ]) {
      expect(steps, 'a write step is no longer seen').toContain(wanted);
    }
    const plans = steps.flatMap((step) => faults.map((fault): Plan => ({ step, fault })));
    const isCrash = (fault: Fault) => fault.startsWith('crash');
    let combinations = 0;

    const lane = async (own: readonly Plan[]) => {
      // The next process loads while this one is judged.
      let next = writer();
      for (const plan of own) {
        const child = next;
        next = writer();
        const what = `${plan.fault} at ${plan.step}, then restart`;
        const trial = await new Trial().begin();
        const { code, signal } = await perform(child, trial, trial.task('exit', plan));
        expect({ code, signal }, what).toEqual(
          isCrash(plan.fault) ? { code: null, signal: 'SIGKILL' } : { code: 70, signal: null },
        );
        await trial.end(what);
        combinations++;
      }
      next.stdin.end();
    };
    await Promise.all([0, 1].map((half) => lane(plans.filter((_, i) => i % 2 === half))));

    // In one process, because it survives: a stopped ledger refuses all that follows.
    const child = writer();
    const exited = once(child, 'exit');
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
    for (const plan of plans.filter(({ fault }) => !isCrash(fault))) {
      const what = `${plan.fault} at ${plan.step}, then continue`;
      const trial = await new Trial().begin();
      child.stdin.write(`${JSON.stringify(trial.task('continue', plan))}\n`);
      for (;;) {
        const { value = '' } = await lines.next();
        expect(value, `${what}: the writer ended`).not.toBe('');
        const line: Line = JSON.parse(value);
        trial.learn(line);
        if (line.kind !== 'stopped') continue;
        expect(line, what).toEqual({ kind: 'stopped', codes: ['stopped', 'stopped', 'stopped'], fatal: 1 });
        break;
      }
      await trial.end(what);
      combinations++;
    }
    child.stdin.end();
    expect(await exited).toEqual([0, null]);
    expect(combinations).toBe(6 * steps.length);
    console.log(
      `fault matrix: ${steps.length} of ${listed.length} write steps, ${combinations} combinations, none lost an entry`,
    );
  });
});
