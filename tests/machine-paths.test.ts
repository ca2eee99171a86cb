import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '..');

/** Homes of people, wherever this runs. */
const home = /(?<![\w.~-])\/(?:root|(?:home|Users)\/[a-z][\w-]*)\//;

/** What is on this very machine: the checkout, its neighbours, the home of whoever runs this. */
function ownPaths(): string[] {
  const parent = dirname(root);
  const neighbours = [tmpdir(), '/usr', '/var'].includes(parent)
    ? [root]
    : readdirSync(parent).map((name) => join(parent, name));
  return [...neighbours, homedir()].filter((path) => path.split('/').length > 2);
}

describe('tracked files', () => {
  it.runIf(existsSync(join(root, '.git')))('hold no path of the machine they were written on', () => {
    const tracked = execFileSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8' }).split('\0');
    const own = ownPaths();
    const found = tracked
      .filter((file) => file !== '' && existsSync(join(root, file)))
      .flatMap((file) =>
        readFileSync(join(root, file), 'utf8')
          .split('\n')
          .flatMap((line, i) =>
            home.test(line) || own.some((path) => line.includes(path)) ? [`${file}:${i + 1}`] : [],
          ),
      );
    expect(found).toEqual([]);
  });
});
