import { readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '..');

/** Each package stands on a floor and imports only from lower floors. The same number: side by side, and strangers. */
const floors: Readonly<Record<string, number>> = {
  evidence: 0,
  'reading-copy': 1,
  sdk: 1,
  store: 1,
  ledger: 2,
  authority: 3,
  gateway: 4,
  reconcile: 4,
  server: 5,
  cli: 6,
};

/** The only file of `evidence` that may know Node; the verifier runs in browsers too. */
const platformFile = 'packages/evidence/src/platform/node.ts';

/** What runs inside a page: `evidence` with its file for browsers, and the page itself. */
const inPages = (file: string) =>
  (packageOf(file) === 'evidence' && file !== platformFile) || file.startsWith('packages/reading-copy/src/page/');

/** The composition root hands the CLI what it needs from below; it names each thing. */
const mayReexport = ['packages/server/src/index.ts'];

interface Import {
  readonly file: string;
  readonly specifier: string;
}

const names = readdirSync(join(root, 'packages')).sort();
const sources = names.flatMap((name) => sourcesOf(join(root, 'packages', name, 'src')));
const imports = sources.flatMap(importsOf);

function sourcesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => relative(root, join(folder, name)).replaceAll(sep, '/'));
}

function importsOf(file: string): Import[] {
  const matches = text(file).matchAll(
    /(?:^(?:import|export|\})[^'"\n]*?from\s+|^import\s+|\bimport\s*\(\s*)['"]([^'"\n]+)['"]/gm,
  );
  return [...matches].map(([, specifier = '']) => ({ file, specifier }));
}

function text(file: string): string {
  return readFileSync(join(root, file), 'utf8');
}

function packageOf(file: string): string {
  return file.split('/')[1] ?? '';
}

/** `@scope/name/sub` and `name/sub` without the sub. */
function moduleName(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

function isBareBuiltin(specifier: string): boolean {
  return !specifier.startsWith('node:') && builtinModules.includes(specifier);
}

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly imports?: unknown;
}

function manifest(name: string): Manifest {
  return JSON.parse(readFileSync(join(root, 'packages', name, 'package.json'), 'utf8'));
}

const tell = ({ file, specifier }: Import) => `${file} imports ${specifier}`;

describe('imports go down the floors of the house', () => {
  it('knows the floor of every package', () => {
    expect(names).toEqual(Object.keys(floors).sort());
    expect(imports.length).toBeGreaterThan(300);
  });

  it('each import of another package goes strictly down', () => {
    const wrong = imports.filter(({ file, specifier }) => {
      if (!specifier.startsWith('@deed/')) return false;
      const to = floors[specifier.slice('@deed/'.length)];
      return to === undefined || to >= (floors[packageOf(file)] ?? -1);
    });
    expect(wrong.map(tell)).toEqual([]);
  });

  it('each import of a package is declared by the package that makes it', () => {
    const wrong = imports.filter(({ file, specifier }) => {
      if (/^(\.|#|node:)/.test(specifier)) return false;
      const { dependencies, peerDependencies } = manifest(packageOf(file));
      return { ...dependencies, ...peerDependencies }[moduleName(specifier)] === undefined;
    });
    expect(wrong.map(tell)).toEqual([]);
  });

  it('what a package declares of ours goes down too, and is what its tsconfig.json references', () => {
    for (const name of names) {
      const declared = Object.keys(manifest(name).dependencies ?? {})
        .filter((dependency) => dependency.startsWith('@deed/'))
        .map((dependency) => dependency.slice('@deed/'.length));
      for (const dependency of declared)
        expect(floors[dependency], `${name} -> ${dependency}`).toBeLessThan(floors[name] ?? -1);
      const config = JSON.parse(readFileSync(join(root, 'packages', name, 'tsconfig.json'), 'utf8')) as {
        references?: { path: string }[];
      };
      const referenced = (config.references ?? []).map(({ path }) => path.replace('../', ''));
      expect(referenced.sort(), name).toEqual(declared.sort());
    }
  });

  it('a relative import never leaves its package', () => {
    const wrong = imports.filter(({ file, specifier }) => {
      if (!specifier.startsWith('.')) return false;
      const target = resolve(root, dirname(file), specifier);
      return !target.startsWith(join(root, 'packages', packageOf(file), 'src') + sep);
    });
    expect(wrong.map(tell)).toEqual([]);
  });

  it('modules of Node are imported as node: only', () => {
    expect(imports.filter(({ specifier }) => isBareBuiltin(specifier)).map(tell)).toEqual([]);
  });

  it('evidence knows Node only in its platform file, and the page of a reading copy not at all', () => {
    const pages = sources.filter(inPages);
    expect(pages.length).toBeGreaterThan(55);
    const builtins = imports.filter(({ file, specifier }) => inPages(file) && specifier.startsWith('node:'));
    expect(builtins.map(tell)).toEqual([]);
    const globals = pages.filter((file) => /\b(Buffer|process|require|__dirname|setImmediate)\b[.(]/.test(text(file)));
    expect(globals).toEqual([]);
  });

  it('the platform of evidence is chosen by condition: a file for browsers, else the one for Node', () => {
    const { imports: chosen } = manifest('evidence');
    expect(chosen).toEqual({
      '#platform': {
        'deed-source': { browser: './src/platform/browser.ts', default: './src/platform/node.ts' },
        browser: './dist/platform/browser.js',
        default: './dist/platform/node.js',
      },
    });
    const users = imports.filter(({ specifier }) => specifier.startsWith('#')).map(tell);
    expect(users.sort()).toEqual([
      'packages/evidence/src/encoding.ts imports #platform',
      'packages/evidence/src/platform.ts imports #platform',
    ]);
  });

  it('nobody exports a default', () => {
    const wrong = sources.filter((file) => /^export\s+default\b|\bas default\b/m.test(text(file)));
    expect(wrong).toEqual([]);
  });

  it('no package passes on another: only the composition root does, and it names each thing', () => {
    const wrong = sources.flatMap((file) =>
      [...text(file).matchAll(/^export\s+(?:type\s+)?(\*|\{)[^;]*?\sfrom\s+'([^']+)'/gm)]
        .filter(([, what, from = '']) => !from.startsWith('.') && (what === '*' || !mayReexport.includes(file)))
        .map(([, , specifier = '']) => tell({ file, specifier })),
    );
    expect(wrong).toEqual([]);
  });
});
