import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { toVector, vectorNames, vectorsFolder } from '../support/vector.ts';
import type { Example } from './example.ts';
import { examples } from './examples.ts';

/** Makes all vectors anew, with keys that live no longer than this process: `npm run vectors`. */
function main(): void {
  for (const name of vectorNames()) rmSync(join(vectorsFolder, name));
  const names = new Set<string>();
  for (const example of examples()) {
    const name = write(example);
    if (names.has(name)) throw new Error(`two vectors are called ${name}`);
    names.add(name);
  }
  console.log(`${names.size} vectors in ${vectorsFolder}`);
}

function write({ name, what, given, verdict, check }: Example): string {
  const vector = toVector(what, given);
  const { expected } = vector;
  if (expected.verdict !== verdict || (check !== undefined && !expected.checks.includes(check)))
    throw new Error(`${name}: expected ${verdict} by ${check}, and it is ${JSON.stringify(expected)}`);
  const path = `${verdict.toLowerCase()}/${kebab(name)}.json`;
  mkdirSync(dirname(join(vectorsFolder, path)), { recursive: true });
  writeFileSync(join(vectorsFolder, path), `${JSON.stringify(vector, null, 1)}\n`);
  return path;
}

function kebab(words: string): string {
  return words
    .toLowerCase()
    .replaceAll(/[’']/g, '')
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '');
}

main();
