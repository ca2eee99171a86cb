#!/usr/bin/env node
// Finds a Node that can run Deed (24 or newer: this one, or the one that npm brought along) and hands over to it.
// Plain JavaScript that old versions of Node can read.
import { spawn } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(realpathSync(fileURLToPath(import.meta.url))));
const wanted = 24;

function findNode() {
  if (Number(process.versions.node.split('.')[0]) >= wanted) return process.execPath;
  const brought = [
    join(root, 'node_modules', `node-${process.platform}-${process.arch}`, 'bin', 'node'),
    join(root, 'node_modules', `node-win-${process.arch}`, 'bin', 'node.exe'),
  ];
  return brought.find((path) => existsSync(path));
}

const node = findNode();
if (node === undefined) {
  process.stderr.write(
    `deed needs Node ${wanted} or newer, this is ${process.version}.\n` +
      (existsSync(join(root, 'node_modules'))
        ? 'npm brings one along for Linux and Windows only: install Node 24 and try again.\n'
        : `Type "npm ci" in ${root} first: it brings the right Node along.\n`),
  );
  process.exit(1);
}

const main = join(root, 'packages', 'cli', 'src', 'main.ts');
const child = spawn(node, ['--conditions=deed-source', main, ...process.argv.slice(2)], { stdio: 'inherit' });
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
child.on('error', (error) => {
  process.stderr.write(`deed: ${node} cannot be started: ${error.message}\n`);
  process.exit(1);
});
child.on('exit', (code, signal) => {
  if (signal === null) process.exit(code ?? 1);
  for (const other of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.removeAllListeners(other);
  process.kill(process.pid, signal);
});
