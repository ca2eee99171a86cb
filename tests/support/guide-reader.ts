import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type Block, columns, firstTerminal, type Guide, patternOf, readGuide, readOff, type Typed } from './guide.ts';
import { processesNaming, type Where } from './processes.ts';
import { Terminal } from './terminal.ts';

const root = resolve(import.meta.dirname, '..', '..');
const guides = join(root, 'docs', 'guides');
/** How long a command may take, or what runs may take to show what the page shows, in milliseconds. */
const limitMs = 120_000;
/** Folders that pages name, and that lie in the reader's own folder here. */
const places = ['srv', 'mnt', 'media'] as const;

/** Somebody who follows a page in a folder of their own, with as many terminals as it asks for. */
export class GuideReader {
  readonly folder = realpathSync(mkdtempSync(join(tmpdir(), 'deed-guide-')));
  private readonly terminals = new Map<string, Terminal>();
  private readonly where: Where;
  private readonly runsOn = new Map<string, { readonly typed: Typed; readonly at: string }>();
  private output = '';
  private at = '';

  /** @param cache where Node keeps what it compiled, for readers to share */
  constructor(cache: string) {
    for (const name of [...places, 'home', 'tmp', 'run', 'bin', 'typed']) mkdirSync(join(this.folder, name));
    const home = join(this.folder, 'home');
    writeFileSync(
      join(this.folder, 'bin', 'deed'),
      `#!/bin/sh\nexec '${process.execPath}' '${root}/bin/deed.mjs' "$@"\n`,
      {
        mode: 0o755,
      },
    );
    writeFileSync(
      join(home, '.gitconfig'),
      '[user]\n\tname = Reader\n\temail = reader@example.invalid\n[init]\n\tdefaultBranch = main\n',
    );
    const env = {
      PATH: `${join(this.folder, 'bin')}:${process.env.PATH}`,
      HOME: home,
      TMPDIR: join(this.folder, 'tmp'),
      XDG_RUNTIME_DIR: join(this.folder, 'run'),
      LANG: 'C.UTF-8',
      GIT_CONFIG_NOSYSTEM: '1',
      NODE_COMPILE_CACHE: cache,
    };
    this.where = { cwd: home, env };
  }

  /** Follows a page, after the steps of the first deployment that it goes on from. @throws Error with page and line */
  async follow(page: string): Promise<void> {
    const guide = readGuide(resolve(root, page));
    const { after } = guide;
    if (after !== null) {
      const first = readGuide(join(guides, 'first-deployment.md'));
      await this.read('docs/guides/first-deployment.md', {
        ...first,
        blocks: first.blocks.filter(({ step }) => step <= after),
      });
    }
    await this.read(page, guide);
  }

  private async read(page: string, { blocks }: Guide): Promise<void> {
    for (const block of blocks) {
      this.at = `${page}:${block.line}`;
      if (block.kind === 'file') writeFileSync(join(this.where.cwd, block.name), this.asTyped(block.text));
      if (block.kind !== 'console') continue;
      for (const typed of block.typed) {
        this.at = `${page}:${typed.line}`;
        await this.type(typed, block);
      }
    }
    for (const [name, { typed, at }] of this.runsOn) {
      const { busy, code } = this.terminal(name);
      if (!busy && code !== typed.code)
        throw new Error(`${at}: exit code ${code}, not ${typed.code}, of: ${typed.command}`);
    }
  }

  private async type(typed: Typed, { terminal: name, again, typed: all }: Block & { kind: 'console' }): Promise<void> {
    const terminal = this.terminal(name);
    if (typed.command === null) return this.watch(terminal, typed);
    // The last command of a block runs on in a terminal of its own; all others end before the next is typed.
    const runsOn = name !== firstTerminal && typed === all.at(-1);
    if (runsOn) this.runsOn.set(name, { typed, at: this.at });
    await this.seen(terminal, () => !terminal.busy, 'the command before did not end');
    const command = this.asTyped(typed.command);
    const limit = Date.now() + limitMs;
    for (;;) {
      terminal.type(command);
      if (runsOn) return this.watch(terminal, typed);
      await this.seen(terminal, () => !terminal.busy, 'it does not end');
      const wrong = this.judge(terminal, typed);
      if (wrong === null) return;
      if (!again || Date.now() > limit) throw new Error(`${this.at}: ${wrong}`);
    }
  }

  /** What runs in a terminal of its own: what is shown appears, or it ends as the page says. */
  private async watch(terminal: Terminal, { command, shown, interrupted }: Typed): Promise<void> {
    const pattern = new RegExp(`^${command === null ? '(?:.*\\n)*?' : ''}${patternOf(this.lines(shown))}`);
    const appeared = () => pattern.test(columns(terminal.output));
    const missing = `this does not appear:\n${shown.join('\n')}`;
    await this.seen(terminal, () => appeared() || !terminal.busy, missing);
    if (!appeared()) throw new Error(`${this.at}: ${missing}\n--- printed\n${terminal.output}`);
    if (!interrupted) return;
    await terminal.interrupt(limitMs);
    if (terminal.code !== 0) throw new Error(`${this.at}: Ctrl-C ended it with exit code ${terminal.code}`);
  }

  /** What is not as the page says, or null. */
  private judge({ output, code }: Terminal, typed: Typed): string | null {
    if (code !== typed.code) return `exit code ${code}, not ${typed.code}, of: ${typed.command}\n${output}`;
    if (typed.shown.length === 0) return null;
    const shown = this.lines(typed.shown);
    const holds = new RegExp(`^${patternOf(shown)}\n*$`).test(columns(output));
    return holds ? null : `another output of: ${typed.command}\n--- shown\n${shown.join('\n')}\n--- printed\n${output}`;
  }

  private async seen(terminal: Terminal, what: () => boolean, otherwise: string): Promise<void> {
    await terminal.until(what, limitMs).catch((cause: unknown) => {
      throw new Error(`${this.at}: ${otherwise}\n--- printed\n${terminal.output}`, { cause });
    });
  }

  private terminal(name: string): Terminal {
    const known = this.terminals.get(name);
    if (known) return known;
    const folder = join(this.folder, 'typed', name);
    mkdirSync(folder);
    const made = new Terminal(folder, this.where, (text) => {
      this.output += text;
    });
    this.terminals.set(name, made);
    return made;
  }

  private asTyped(text: string): string {
    try {
      return readOff(this.here(text), this.output);
    } catch (cause) {
      throw new Error(`${this.at}: ${(cause as Error).message}`, { cause });
    }
  }

  private lines(shown: readonly string[]): string[] {
    return shown.map((line) => this.here(line));
  }

  /** The clone, and the folders that pages name, are where they are here. */
  private here(text: string): string {
    return places.reduce(
      (now, place) =>
        now.replaceAll(new RegExp(`(?<![\\w.…])/${place}(?=[/\\s"']|$)`, 'gm'), `${this.folder}/${place}`),
      text.replaceAll('/path/to/deed', root),
    );
  }

  /** Ends what the page left running, by Ctrl-C, and removes the folder. Returns what did not end as it should: nothing. */
  async end(): Promise<readonly string[]> {
    const wrong: string[] = [];
    for (const [name, terminal] of this.terminals) {
      if (!terminal.busy) continue;
      await terminal.interrupt(limitMs);
      if (terminal.code !== 0) wrong.push(`${name} ended with ${terminal.code}`);
    }
    for (const terminal of this.terminals.values()) await terminal.close();
    wrong.push(...processesNaming(this.folder));
    rmSync(this.folder, { recursive: true, force: true });
    return wrong;
  }
}
