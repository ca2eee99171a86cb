import { execFile } from 'node:child_process';
import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Names that need no escaping in a path, a URL or a line of JSON. */
export const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;

/** What git gets to see: nothing of the machine's or the caller's configuration. */
export function gitEnvironment(): Record<string, string> {
  return {
    PATH: process.env.PATH ?? '/usr/bin:/bin',
    HOME: '/nonexistent',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_TERMINAL_PROMPT: '0',
  };
}

/** A ref name outside this set would need escaping in pushes.jsonl, so the whole push is refused before it lands. */
const safeRef = `case "$ref" in
    *[!A-Za-z0-9/._@+=-]*) `;

const preReceive = `#!/bin/sh
while read -r old new ref; do
  ${safeRef}echo "ref name not accepted here: use letters, digits and / . _ @ + = -" >&2; exit 1 ;;
  esac
done
`;

/** One append for each line, so that lines of concurrent pushes never mix. BSD and BusyBox date have no %3N. */
const postReceive = `#!/bin/sh
LC_ALL=C; export LC_ALL
repository=$(basename "$(pwd -P)" .git)
time=$(date -u +%Y-%m-%dT%H:%M:%S.%3NZ)
case "$time" in *N*) time=$(date -u +%Y-%m-%dT%H:%M:%SZ) ;; esac
quoted() { case "$1" in '' | *[!A-Za-z0-9._@-]*) printf null ;; *) printf '"%s"' "$1" ;; esac; }
user=$(quoted "\${REMOTE_USER:-}")
request=$(quoted "\${REQUEST_ID:-}")
while read -r old new ref; do
  ${safeRef}continue ;;
  esac
  printf '{"time":"%s","requestId":%s,"user":%s,"repository":"%s","ref":"%s","old":"%s","new":"%s"}\\n' \\
    "$time" "$request" "$user" "$repository" "$ref" "$old" "$new" >>../../pushes.jsonl
done
`;

/**
 * Makes DIR/repositories/NAME.git. `http.receivepack` stays unset: git http-backend then accepts a push only with
 * REMOTE_USER, which the front sets for authenticated requests alone. Reflogs are off in bare repositories by default.
 */
export async function createRepository(dir: string, name: string): Promise<void> {
  const path = join(dir, 'repositories', `${name}.git`);
  await mkdir(path, { recursive: false });
  const git = (...args: string[]) => run('git', args, { cwd: path, env: gitEnvironment() });
  try {
    await git('init', '--quiet', '--bare', '--initial-branch=main', '--template=');
    await git('config', 'core.logAllRefUpdates', 'always');
    await git('config', 'gc.auto', '0');
    await git('config', 'receive.autogc', 'false');
    await git('config', 'receive.advertisePushOptions', 'true');
    await mkdir(join(path, 'hooks'));
    for (const [hook, text] of [
      ['pre-receive', preReceive],
      ['post-receive', postReceive],
    ] as const) {
      await writeFile(join(path, 'hooks', hook), text);
      await chmod(join(path, 'hooks', hook), 0o755);
    }
  } catch (cause) {
    await rm(path, { recursive: true, force: true });
    throw cause;
  }
}
