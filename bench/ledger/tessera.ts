import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface PeerMeasured {
  readonly rate: number;
  readonly ack: { readonly p50: number; readonly p99: number };
}

/** Builds the peer with the Go at hand. Null, and says so, where there is none or its modules cannot be had. */
export function buildTessera(): { run(seconds: number): PeerMeasured; remove(): void } | null {
  const folder = mkdtempSync(join(tmpdir(), 'deed-tessera-'));
  const program = join(folder, 'tessera');
  const source = join(import.meta.dirname, 'tessera');
  try {
    const env = { ...process.env, GOFLAGS: '-mod=readonly', GOTOOLCHAIN: 'local' };
    execFileSync('go', ['build', '-o', program, '.'], { cwd: source, env, stdio: ['ignore', 'ignore', 'pipe'] });
  } catch (error) {
    rmSync(folder, { recursive: true });
    const why = (error as Error).message.split('\n').slice(0, 2).join(' ');
    process.stderr.write(`SKIPPED: the comparison with Tessera needs Go on the PATH and its modules (${why})\n`);
    return null;
  }
  return {
    run(seconds) {
      const dir = mkdtempSync(join(process.env.BENCH_DIR ?? tmpdir(), 'deed-tessera-log-'));
      try {
        return JSON.parse(execFileSync(program, ['-dir', dir, '-seconds', String(seconds)]).toString());
      } finally {
        rmSync(dir, { recursive: true, force: true });
      }
    },
    remove: () => rmSync(folder, { recursive: true }),
  };
}
