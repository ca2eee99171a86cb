import { appendFileSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { cedarEngine, defaultPolicyFolder, replayDecision } from '@deed/authority';
import { type Decision, decodeEnvelope, members, openContainer, openPayload, parseStatement } from '@deed/evidence';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Client } from '../packages/cli/src/client.ts';
import { packageFile } from '../packages/cli/src/demo/world.ts';
import { World } from '../packages/server/test/support/world.ts';

let world: World;
let base: string;
beforeAll(async () => {
  base = mkdtempSync(join(tmpdir(), 'deed-replay-'));
  world = await World.begin({ policyFolder: strictPolicy() });
});
afterAll(async () => {
  await world.end();
  rmSync(base, { recursive: true, force: true });
});

/** The default policy, with a tool that needs a person, one that is forbidden, and one on which the policy errors. */
function strictPolicy(): string {
  const folder = join(base, 'policy');
  cpSync(defaultPolicyFolder, folder, { recursive: true });
  const rules = `@id("test-folders")
@tier("approve")
permit (principal, action == Deed::Action::"call", resource) when { resource.name == "create_directory" };
@id("test-overflow")
permit (principal, action == Deed::Action::"call", resource)
when { resource.name == "edit_file" && 9223372036854775807 + (if context.task.implicit then 0 else 1) > 0 };
`;
  writeFileSync(join(folder, 'test.cedar'), rules);
  return folder;
}

/** What a stranger has: the members of the case. The decisions in it, each with the inputs if they are there. */
function decisionsIn(files: ReadonlyMap<string, Uint8Array>) {
  return [...files].flatMap(([name, bytes]) => {
    if (!/^statements\/[0-9]{12}\.json$/.test(name)) return [];
    const statement = parseStatement(decodeEnvelope(bytes).payload);
    if (statement.predicate !== 'intent' && statement.predicate !== 'refusal' && statement.predicate !== 'approval') {
      return [];
    }
    const { decision } = statement.body;
    return decision ? [{ predicate: statement.predicate, decision }] : [];
  });
}

/** Lays each policy bundle of the case out in a folder named by its digest. */
function unpackPolicies(files: ReadonlyMap<string, Uint8Array>, into: string): void {
  for (const [name, bytes] of files) {
    if (!name.startsWith('policy/') || basename(name) === 'manifest.json') continue;
    mkdirSync(join(into, dirname(name)), { recursive: true });
    writeFileSync(join(into, name), bytes);
  }
}

function replay(decision: Decision, files: ReadonlyMap<string, Uint8Array>, folder: string) {
  const name = decision.inputs.sha256;
  const object = files.get(members.payload(name));
  if (!object) throw new Error(`the inputs ${name} are not in the case`);
  return replayDecision(openPayload(object, name).bytes, join(folder, 'policy', decision.bundle));
}

test('each decision of a case replays from the members of the case alone', async () => {
  const work = join(world.base, 'work');
  mkdirSync(join(work, '.git'), { recursive: true });
  writeFileSync(join(work, 'a.txt'), 'a\n');
  const argv = [process.execPath, packageFile('@modelcontextprotocol/server-filesystem', 'dist/index.js'), work];
  await world.tool('files', argv, 'filesystem');
  const worker = await world.worker([{ server: 'files', paths: { under: [work] } }]);
  const connection = await world.connect(argv, worker);
  await connection.request('initialize', {
    protocolVersion: '2025-06-18',
    capabilities: {},
    clientInfo: { name: 'replay', version: '1' },
  });
  await connection.call('read_text_file', { path: join(work, 'a.txt') });
  const written = await connection.call('write_file', { path: join(work, 'b.txt'), content: 'b' });
  expect(written.isError, written.text).toBe(false);
  // Two paths: two requests in one decision, one of them forbidden.
  const moved = await connection.call('move_file', {
    source: join(work, 'a.txt'),
    destination: join(work, '.git', 'hooks'),
  });
  expect(moved.text).toContain('no-git-folder');
  expect((await connection.call('edit_file', { path: join(work, 'b.txt'), edits: [] })).text).toContain(
    'could not be evaluated: test-overflow',
  );
  expect((await connection.request('something/else')).error?.data?.deed).toBe('denied');
  const made = connection.call('create_directory', { path: join(work, 'd') });
  await world.answer(await world.held(), 'approve');
  expect(await made).toMatchObject({ isError: false });
  await connection.close();
  await world.closeTask(worker.task);
  const files = openContainer(await new Client(world.dir).postForBytes(`/v1/tasks/${worker.task}/case`));

  const folder = join(base, 'case');
  unpackPolicies(files, folder);
  const decisions = decisionsIn(files);
  const seen: string[] = [];
  for (const { predicate, decision } of decisions) {
    expect(decision.engine).toEqual(cedarEngine());
    if (!decision.inputs.kept) {
      seen.push(`${predicate} not kept`);
      continue;
    }
    const { outcome, reasons, errors } = replay(decision, files, folder);
    expect({ outcome, reasons, errors }).toEqual({
      outcome: decision.outcome,
      reasons: decision.reasons,
      errors: decision.errors,
    });
    seen.push(`${predicate} ${outcome} ${reasons.join()}${errors.length > 0 ? ' with errors' : ''}`);
  }
  expect(seen.sort()).toEqual([
    'approval allow call-others,test-folders',
    'intent allow call-destructive-hint,call-others',
    'intent allow call-others,test-folders',
    'intent not kept',
    'refusal deny ',
    'refusal deny call-destructive-hint,call-others with errors',
    'refusal deny no-git-folder',
  ]);

  // With another bundle nothing replays: not by a changed file, nor by another folder.
  const [first] = decisions.filter(({ decision }) => decision.inputs.kept);
  if (!first) throw new Error('no decision to replay');
  appendFileSync(join(folder, 'policy', first.decision.bundle, 'test.cedar'), '// \n');
  expect(() => replay(first.decision, files, folder)).toThrow(expect.objectContaining({ code: 'replay' }));
});
