import { DeedError } from '@deed/evidence';
import { Refused } from './client.ts';
import { deedProgram } from './program.ts';

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
