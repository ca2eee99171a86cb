import { expect } from 'vitest';

/** The code with which something was refused; fails if it was not. */
export async function refused(attempt: () => unknown): Promise<string> {
  try {
    await attempt();
  } catch (error) {
    if (error instanceof Error && 'code' in error) return String(error.code);
    throw error;
  }
  return expect.fail('it was not refused');
}
