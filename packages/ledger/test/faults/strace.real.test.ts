import * as fs from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { randomOf, seed } from '../../../../tests/random.ts';
import { draft, World } from '../world.ts';
import { aftermath, History } from './history.ts';
import { Appender } from './process.ts';
import { attach, mayTrace } from './strace.ts';

vi.setConfig({ testTimeout: process.env.SLOW ? 6 * 3_600_000 : 1_800_000 });

const writing = [
  'open,openat,creat,write,writev,pwrite64,pwritev,fsync,fdatasync,sync_file_range,link,linkat,rename,renameat,renameat2',
  'unlink,unlinkat,rmdir,mkdir,mkdirat,ftruncate,truncate,fallocate,chmod,fchmod,fchmodat',
].join();
const traced = `${writing},close,read,pread64`;
/** In CI a sample of this many, and always one of each kind. */
const sample = 110;

const permitted = mayTrace();
if (!permitted) console.warn('SKIPPED faults in system calls: strace is absent or may not attach to processes here');

interface Call {
  readonly name: string;
  /** Counted from 1 among the calls of this name. */
  readonly nth: number;
  /** What kind of file it touches. */
  readonly what: string;
}

type Injection = 'EIO' | 'ENOSPC' | 'SIGKILL';

const world = new World();
afterAll(() => world.tidy());

let count = 0;
class Trial {
  readonly root = join(world.root, `trial-${count++}`);
  readonly folder = join(this.root, 'data');
  readonly history = new History();
  private readonly traceFile = join(this.root, 'trace');

  constructor(template: History) {
    fs.mkdirSync(this.root);
    fs.cpSync(world.folder, this.folder, { recursive: true });
    for (const [index, digest] of template.acknowledged) this.history.acknowledge(index, digest);
  }

  /** Lets a writer start, append, publish and end under strace. Returns how it ended and the calls on the data folder. */
  async run(inject: readonly string[]) {
    const appender = new Appender(world, this.history, {
      folder: this.folder,
      writers: 1,
      entries: 2,
      publishes: true,
    });
    await appender.said('waiting');
    const { pid } = appender.child;
    const release = await attach(pid, ['-y', '-o', this.traceFile, '-e', `trace=${traced}`, ...inject]);
    appender.go();
    const limit = setTimeout(() => appender.child.kill('SIGQUIT'), 120_000);
    const ended = await appender.ended;
    await release();
    clearTimeout(limit);
    return { ...ended, trace: fs.readFileSync(this.traceFile, 'utf8').split('\n') };
  }

  /** The calls that touch the data folder, and those that were made to fail. */
  calls(trace: readonly string[]): readonly Call[] {
    const counts = new Map<string, number>();
    const calls: Call[] = [];
    for (const line of trace) {
      const name = /^(\w+)\(/.exec(line)?.[1];
      if (name === undefined) continue;
      const nth = (counts.get(name) ?? 0) + 1;
      counts.set(name, nth);
      const path = line.slice(line.indexOf(this.folder) + this.folder.length).split(/[>"]/)[0] ?? '';
      if (line.includes(this.folder)) calls.push({ name, nth, what: kindOf(path) });
    }
    return calls;
  }

  async end(what: string): Promise<void> {
    const shown = join(this.folder, 'log/checkpoint');
    if (fs.existsSync(shown)) this.history.shown(fs.readFileSync(shown, 'utf8'));
    const { logKeys, signerPem } = world;
    await aftermath({ folder: this.folder, logKeys, signerPem, witnesses: [] }, this.history, what);
    fs.rmSync(this.root, { recursive: true });
  }
}

function kindOf(path: string): string {
  if (/\.deed-tmp-/.test(path)) return path.replace(/\.deed-tmp-.*/, 'temp');
  return path;
}

describe.skipIf(!permitted)(
  'every system call on the data folder while one writer starts, appends, publishes and ends',
  () => {
    test('may fail, or be its last: nothing acknowledged is lost, and the next start goes on', async () => {
      const template = new History();
      const ledger = await world.ledger();
      for (let i = 0; i < 255; i++) {
        const recorded = ledger.record(draft('deployment', i));
        recorded.durable.then(({ index }) => template.acknowledge(index, recorded.digest));
      }
      await ledger.published(254);
      await world.close(ledger);

      const first = new Trial(template);
      const clean = await first.run([]);
      expect(clean).toMatchObject({ code: 0, signal: null });
      const calls = first.calls(clean.trace);
      await first.end('without a fault');
      for (const name of ['openat', 'write', 'pwrite64', 'fsync', 'link', 'rename', 'unlink', 'close', 'pread64']) {
        expect(
          calls.map((call) => call.name),
          'a system call is no longer seen',
        ).toContain(name);
      }
      const all = calls.flatMap((call) => injectionsOf(call).map((injection): Planned => ({ call, injection })));
      const chosen = process.env.SLOW ? all : sampled(all);
      const endings = new Map<string, number>();
      let hits = 0;
      const lane = async (own: readonly Planned[]) => {
        for (const { call, injection } of own) {
          const what = `${injection} in ${call.name} ${call.nth} (${call.what})`;
          const how = injection === 'SIGKILL' ? 'signal=SIGKILL' : `error=${injection}`;
          const trial = new Trial(template);
          const { code, signal, trace } = await trial.run(['-e', `inject=${call.name}:${how}:when=${call.nth}`]);
          const hit =
            injection === 'SIGKILL' ? signal === 'SIGKILL' : trace.some((line) => / \(INJECTED\)$/.test(line));
          if (hit) hits++;
          // 70: the ledger stopped; 1: it refused to open; 0: the failure did not matter. A call that came in another order
          // than in the first run may be one of the event loop itself, which ends the process when it fails.
          const isOwn = trace.some((line) => / \(INJECTED\)$/.test(line) && line.includes(trial.folder));
          const failed = ['70 null', '1 null', '0 null', ...(isOwn ? [] : ['null SIGABRT'])];
          const expected = injection === 'SIGKILL' ? ['null SIGKILL', '0 null'] : failed;
          expect(expected, what).toContain(`${code} ${signal}`);
          endings.set(`${code ?? signal}`, (endings.get(`${code ?? signal}`) ?? 0) + 1);
          await trial.end(what);
        }
      };
      await Promise.all([0, 1].map((half) => lane(chosen.filter((_, i) => i % 2 === half))));
      // A call may be missed when the run makes one more or less of its name than the first did.
      expect(hits).toBeGreaterThan(chosen.length * 0.9);
      console.log(
        `strace: ${calls.length} system calls on the data folder, ${chosen.length} of ${all.length} faults (seed ${seed}), ` +
          `${hits} of them hit; ended with ${[...endings].map(([ending, times]) => `${ending}: ${times}`).join(', ')}`,
      );
    });
  },
);

interface Planned {
  readonly call: Call;
  readonly injection: Injection;
}

function injectionsOf({ name }: Call): readonly Injection[] {
  return writing.split(',').includes(name) ? ['EIO', 'ENOSPC', 'SIGKILL'] : ['EIO', 'SIGKILL'];
}

/** As many kinds of faults as there is time for, then more of each kind. */
function sampled(all: readonly Planned[]): readonly Planned[] {
  const random = randomOf(seed);
  const shuffled = all
    .map((planned) => ({ planned, at: random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ planned }) => planned);
  const seen = new Set<string>();
  const isNew = ({ call, injection }: Planned) => {
    const kind = `${call.name} ${call.what} ${injection}`;
    return !seen.has(kind) && seen.add(kind);
  };
  const firsts = shuffled.filter(isNew);
  return [...firsts, ...shuffled.filter((planned) => !firsts.includes(planned))].slice(0, sample);
}
