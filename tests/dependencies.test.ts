import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '..');

/** Licences of what a user of Deed runs. MPL-2.0 is for tools of tests only. */
const allowed = [
  'Apache-2.0',
  'MIT',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'ISC',
  '0BSD',
  'BlueOak-1.0.0',
  'MIT OR Apache-2.0',
];
const allowedForTests = [...allowed, 'MPL-2.0'];

/** Packages whose manifest does not say it in a word; read by a person. */
const read: Readonly<Record<string, string>> = {
  // Its manifest points to a file that the package leaves out; its README says MIT.
  '@modelcontextprotocol/server-filesystem': 'SEE LICENSE IN LICENSE',
};

interface Manifest {
  readonly name: string;
  readonly license?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly scripts?: Readonly<Record<string, string>>;
}

interface Locked {
  readonly link?: boolean;
  readonly dev?: boolean;
  readonly resolved?: string;
  readonly hasInstallScript?: boolean;
}

function json<T>(...path: string[]): T {
  return JSON.parse(readFileSync(join(root, ...path), 'utf8')) as T;
}

const folders = [
  '.',
  ...['packages', 'examples'].flatMap((parent) =>
    readdirSync(join(root, parent))
      .map((name) => `${parent}/${name}`)
      .filter((folder) => existsSync(join(root, folder, 'package.json'))),
  ),
];
const manifests = folders.map((folder) => json<Manifest>(folder, 'package.json'));
const lock = json<{ packages: Record<string, Locked> }>('package-lock.json').packages;
const installed = Object.entries(lock)
  .filter(([path, { link }]) => path.includes('node_modules/') && !link && existsSync(join(root, path, 'package.json')))
  .map(([path, locked]) => ({ path, locked, manifest: json<Manifest>(path, 'package.json') }));

/** The licences of an SPDX expression that leaves the choice: any of them will do. */
function choices(license: string): readonly string[] {
  return license.replace(/^\((.+)\)$/, '$1').split(' OR ');
}

describe('dependencies', () => {
  it('are pinned to exact versions', () => {
    const loose = manifests.flatMap(({ name, dependencies, devDependencies, optionalDependencies }) =>
      Object.entries({ ...dependencies, ...devDependencies, ...optionalDependencies })
        .filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))
        .map(([dependency, version]) => `${name}: ${dependency} ${version}`),
    );
    expect(loose).toEqual([]);
  });

  it('are locked without the address of a registry', () => {
    const addressed = Object.entries(lock).filter(([, { link, resolved }]) => resolved !== undefined && !link);
    expect(addressed.map(([path]) => path)).toEqual([]);
    expect(readFileSync(join(root, 'package-lock.json'), 'utf8')).not.toMatch(/"resolved": "[a-z+]+:/);
  });

  it('run no script when they are installed, and npm is told to run none', () => {
    expect(Object.keys(lock).filter((path) => lock[path]?.hasInstallScript)).toEqual([]);
    expect(readFileSync(join(root, '.npmrc'), 'utf8')).toMatch(/^ignore-scripts=true$/m);
    for (const { name, scripts } of manifests) {
      expect(
        Object.keys(scripts ?? {}).filter((key) => /^(pre|post)?(install|prepare)$/.test(key)),
        name,
      ).toEqual([]);
    }
  });

  it('have licences that we may pass on', () => {
    expect(installed.length).toBeGreaterThan(50);
    const wrong = installed
      .filter(({ locked, manifest: { name, license } }) => {
        if (license === undefined) return true;
        const mayBe = locked.dev ? allowedForTests : allowed;
        return !choices(license).some((each) => mayBe.includes(each)) && read[name] !== license;
      })
      .map(({ path, manifest: { license } }) => `${path}: ${license}`);
    expect(wrong).toEqual([]);
  });
});
