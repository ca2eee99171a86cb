import { enableCompileCache } from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';

// What is started twice for each call starts in half the time, from the second call on.
if (process.argv[2] === 'hook') {
  enableCompileCache(join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'deed', 'compiled'));
}
const [{ DeedError }, { Refused }, { deedProgram }] = await Promise.all([
  import('@deed/evidence'),
  import('./client.ts'),
  import('./program.ts'),
]);

try {
  await deedProgram().parseAsync();
} catch (error) {
  const { message } = error as Error;
  const isOurs = error instanceof DeedError || error instanceof Refused || isSystemError(error);
  process.stderr.write(
    isOurs ? `deed: ${message} [${(error as { code?: string }).code}]\n` : `deed: ${(error as Error).stack}\n`,
  );
  process.exit(1);
}

function isSystemError(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error;
}
