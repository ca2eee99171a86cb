import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { run } from './support/processes.ts';

const root = resolve(import.meta.dirname, '..');
const lacking = ['curl', 'openssl', 'basenc'].filter((name) => spawnSync(name, ['--version']).error !== undefined);
for (const name of lacking) console.warn(`SKIPPED examples/pipeline: there is no ${name}`);

test.skipIf(lacking.length > 0)(
  'examples/pipeline: a job acts by curl and openssl, and its case is verified',
  async () => {
    const program = [process.execPath, '--conditions=deed-source', 'examples/pipeline/pipeline.ts'];
    const env = Object.fromEntries(Object.entries(process.env).filter((each): each is [string, string] => !!each[1]));
    const { code, stdout, stderr } = await run(program, { cwd: root, env });
    expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain('  production: ok');
    expect(stdout.trimEnd().split('\n').at(-1)).toBe('Everything is as it should be.');
  },
);
