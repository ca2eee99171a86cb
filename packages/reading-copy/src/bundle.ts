import { dirname } from 'node:path';
import { ReadingCopyError } from './errors.ts';

/** The notices that the licences of what is bundled ask for; noble's own stand in its code. */
const notice = '/*! Deed, Apache-2.0. Holds zod, MIT License, Copyright (c) 2025 Colin McDonnell. */';

/**
 * One script for browsers of a module and all that it imports. The same sources give the same bytes: no path, time or
 * random name enters it. From a clone the sources are bundled as they are, from an installed package what was built of them.
 * @param entry path of a .ts file of a clone, or of a .js file of an installed package
 * @param global the name under which the module's exports are to be had, if they are
 * @throws ReadingCopyError script
 */
export async function bundleScript(entry: string, global?: string): Promise<string> {
  const fromSource = entry.endsWith('.ts');
  try {
    const { rolldown } = await import('rolldown'); // native and large: only who makes a page loads it
    const bundle = await rolldown({
      input: entry,
      cwd: dirname(entry),
      platform: 'browser',
      resolve: { conditionNames: [...(fromSource ? ['deed-source'] : []), 'browser', 'import', 'default'] },
    });
    const { output } = await bundle.generate({
      format: 'iife',
      minify: true,
      comments: { legal: true },
      postBanner: notice,
      ...(global === undefined ? {} : { name: global }),
    });
    await bundle.close();
    return output[0].code;
  } catch (cause) {
    throw new ReadingCopyError('script', `the page's script cannot be made: ${(cause as Error).message}`, { cause });
  }
}
