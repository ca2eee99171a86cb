import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/**
 * Where the programs of others lie that only tests use, some of them large and under licences of their own (tests/agents/package.json):
 *
 *   cp tests/agents/package*.json DIR && npm ci --prefix DIR
 *
 * with DIR as below, or as DEED_TEST_AGENTS says.
 */
export const agentsFolder = process.env.DEED_TEST_AGENTS ?? join(homedir(), '.cache', 'deed-test-agents');

/** A file or folder of one of their packages; null where it is not on this machine, and said loudly. */
export function ofAgents(path: string): string | null {
  const file = join(agentsFolder, 'node_modules', path);
  if (existsSync(file)) return file;
  console.warn(`SKIPPED: there is no ${path} in ${agentsFolder} (see tests/support/agents.ts)`);
  return null;
}
