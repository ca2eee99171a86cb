import { chmodSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDatabase } from '@deed/store';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { ToolRegistry, toolMigrations } from '../../src/tools/registry.ts';

const base = realpathSync(mkdtempSync(join(tmpdir(), 'deed-registry-')));
afterAll(() => rmSync(base, { recursive: true, force: true }));

const program = join(base, 'program');
let folders = 0;
const folder = () => mkdtempSync(join(base, `data-${++folders}-`));
beforeEach(() => {
  writeFileSync(program, '#!/bin/sh\n');
  chmodSync(program, 0o755);
});

const plain = { kind: 'plain', argv: [program, 'x'], env: {}, cwd: null, credentials: [] } as const;

function registry() {
  const database = openDatabase(folder(), { migrations: toolMigrations });
  const tools = new ToolRegistry(database);
  const add = (name: string, over: object = {}) =>
    tools.add({ ...plain, argv: [...plain.argv], credentials: [], name, ...over });
  return { tools, add };
}

const unregistered = expect.objectContaining({ code: 'tool-unregistered' });

test('a command finds its tool, and no other command does', () => {
  const { tools, add } = registry();
  add('one');
  expect(tools.match([program, 'x'])).toMatchObject({ name: 'one', cwd: null });
  expect(() => tools.match([program])).toThrow(unregistered);
});

test('two tools may have one command: then each is found by its name alone', () => {
  const { tools, add } = registry();
  add('one', { env: { A: '1' } });
  add('two', { env: { A: '2' }, cwd: base });
  expect(() => tools.match([program, 'x'])).toThrow(
    expect.objectContaining({ message: expect.stringContaining('one, two') }),
  );
  expect([tools.named('one').env.A, tools.named('two').env.A, tools.named('two').cwd]).toEqual(['1', '2', base]);
  expect(tools.remove('two')).toBe(true);
  expect(tools.remove('two')).toBe(false);
  expect(tools.match([program, 'x']).name).toBe('one');
  expect(() => tools.named('two')).toThrow(unregistered);
});

test('a program that changed is not started until it is renewed', () => {
  const { tools, add } = registry();
  const { executable } = add('one', { env: { A: '1' }, credentials: [{ broker: 'b' }] });
  writeFileSync(program, '#!/bin/sh\nexit 1\n');
  for (const find of [() => tools.named('one'), () => tools.match([program, 'x'])])
    expect(find).toThrow(
      expect.objectContaining({ code: 'tool-executable', message: expect.stringContaining('deed tool renew one') }),
    );
  expect(tools.renew('one').executable).not.toBe(executable);
  expect(tools.named('one')).toMatchObject({ env: { A: '1' }, credentials: [{ broker: 'b' }] });
  expect(() => tools.renew('two')).toThrow(unregistered);
});

test('what was registered with one credential, or none, is so still', () => {
  const dir = folder();
  const old = openDatabase(dir, { migrations: toolMigrations.slice(0, 2) });
  old.transaction((tx) => {
    const insert = 'INSERT INTO tool (name, kind, argv, env, executable, credential) VALUES (?, ?, ?, ?, ?, ?)';
    tx.run(insert, 'with', 'plain', '["/bin/a"]', '{}', 'e', '{"broker":"b","env":{"K":"value"}}');
    tx.run(insert, 'without', 'plain', '["/bin/b"]', '{}', 'e', null);
  });
  old.close();
  const now = openDatabase(dir, { migrations: toolMigrations });
  expect(new ToolRegistry(now).list()).toMatchObject([
    { name: 'with', cwd: null, credentials: [{ broker: 'b', env: { K: 'value' } }] },
    { name: 'without', cwd: null, credentials: [] },
  ]);
  now.close();
});
