import { vi } from 'vitest';
import { deedProgram } from '../../src/program.ts';

/** Runs a command of the table in this process, and gives what it prints. @throws what the command throws */
export async function deed(...args: readonly string[]): Promise<string> {
  let out = '';
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    out += String(text);
    return true;
  });
  try {
    await deedProgram().parseAsync(['node', 'deed', ...args]);
    return out;
  } finally {
    write.mockRestore();
  }
}
