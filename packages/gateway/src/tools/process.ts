import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LineSplitter } from '../mcp/lines.ts';
import { maxLineBytes } from '../mcp/message.ts';
import { fillIn } from './placeholders.ts';
import type { Tool } from './registry.ts';

/** How long a tool may take to end after its input was closed, in milliseconds. */
const graceMs = 2_000;

export interface ToolProcessEvents {
  readonly line: (line: Uint8Array) => void;
  readonly tooLong: () => void;
  readonly stderr: (chunk: Uint8Array) => void;
  /** After the last line. */
  readonly end: (reason: string) => void;
}

/** A tool's process, owned and fed by the server: cleared environment, an empty folder of its own as home and cwd. */
export class ToolProcess {
  private readonly child: ChildProcess;
  private readonly home: string;
  private timer: NodeJS.Timeout | undefined;
  readonly ended: Promise<void>;

  constructor(tool: Tool, extraEnv: Readonly<Record<string, string>>, events: ToolProcessEvents) {
    this.home = mkdtempSync(join(tmpdir(), 'deed-tool-'));
    const filled = fillIn(tool.argv, extraEnv);
    const [command = '', ...args] = filled.argv;
    const env = {
      PATH: process.env.PATH,
      LANG: 'C.UTF-8',
      HOME: this.home,
      TMPDIR: this.home,
      ...tool.env,
      ...filled.env,
    };
    this.child = spawn(command, args, { cwd: tool.cwd ?? this.home, env, stdio: 'pipe', detached: true });
    const lines = new LineSplitter(maxLineBytes, events.line, events.tooLong);
    this.child.stdout?.on('data', (chunk: Uint8Array) => lines.push(chunk));
    this.child.stderr?.on('data', events.stderr);
    this.child.stdin?.on('error', () => {}); // the process ended: `close` follows and says so
    this.ended = new Promise((resolve) => {
      const finish = (reason: string) => {
        clearTimeout(this.timer);
        this.signal('SIGKILL'); // what it left behind in its process group
        rmSync(this.home, { recursive: true, force: true });
        events.end(reason);
        resolve();
      };
      this.child.once('error', (error) => finish(`could not be started: ${error.message}`));
      this.child.once('close', (code, signal) => finish(signal ? `ended by ${signal}` : `ended with code ${code}`));
    });
  }

  /** Writes one line, exactly as given, and its newline. */
  send(line: Uint8Array): void {
    this.child.stdin?.write(Buffer.concat([line, Buffer.from('\n')]));
  }

  /** Closes its input, then ends it and all it started. */
  async stop(): Promise<void> {
    this.child.stdin?.end();
    this.timer = setTimeout(() => this.signal('SIGKILL'), graceMs);
    await this.ended;
  }

  private signal(signal: NodeJS.Signals): void {
    if (this.child.pid === undefined) return;
    try {
      process.kill(-this.child.pid, signal);
    } catch {
      // the group is gone already
    }
  }
}
