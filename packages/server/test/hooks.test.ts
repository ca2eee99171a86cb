import { realpathSync } from 'node:fs';
import { fromUtf8, openPayload, type PayloadRef, verify } from '@deed/evidence';
import { HookDesk } from '@deed/gateway';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { proves } from '../../../tests/promises.ts';
import { exportCase } from '../src/case-export.ts';
import { claudeCodeMessage } from '../src/index.ts';
import { type Worker, World } from './support/world.ts';

let world: World;
beforeAll(async () => {
  world = await World.begin();
});
afterAll(() => world.end());

let ids = 0;

/** One session of Claude Code: what it gives its hook, and what the hook is answered. */
function session(worker: Worker | null = null) {
  const id = `session-${++ids}`;
  const tell = async (event: object, sign = worker?.sign) => {
    const { message } = claudeCodeMessage(Buffer.from(JSON.stringify({ session_id: id, cwd: world.base, ...event })));
    const [token, proof] = sign ? (await sign(message)).split(' ') : [];
    const speaker = worker && { task: worker.task, token, proof };
    return world.api('POST', '/v1/hooks/claude-code', { speaker, message: Buffer.from(message).toString('base64') });
  };
  const call = {
    prompt_id: 'prompt-1',
    tool_name: 'Bash',
    tool_input: { command: 'npm test' },
    tool_use_id: 'toolu_1',
  };
  return {
    tell,
    before: (fields: object = {}) => tell({ ...call, hook_event_name: 'PreToolUse', ...fields }),
    after: (fields: object = {}) =>
      tell({ ...call, hook_event_name: 'PostToolUse', tool_response: { stdout: 'fine' }, ...fields }),
    stop: () => tell({ hook_event_name: 'Stop' }),
    end: () => tell({ hook_event_name: 'SessionEnd' }),
  };
}

async function newestTask(): Promise<string> {
  return (await world.api('GET', '/v1/tasks')).body.tasks[0].task;
}

function contentOf(ref: PayloadRef | null | undefined): string {
  const { vault } = world.serving.deployment.authority;
  return ref ? fromUtf8(openPayload(vault.get(ref.sha256), ref.sha256).bytes) : '';
}

/** What the verifier says of the case of a closed task. */
async function verdictOf(task: string) {
  await world.settled();
  const { deployment } = world.serving;
  const { ledger, authority, timestamps } = deployment;
  const { trustFile } = world.made;
  const options = {
    db: ledger.database,
    ledger,
    authority,
    trustFile,
    writer: 'test',
    now: Date.now,
    witnessMs: 20_000,
  };
  const file = await exportCase({ ...options, stamping: { timestamps, waitMs: 1000 } }, task);
  return verify(file, { trust: trustFile });
}

test('a call of the client itself is decided and recorded, linked to its prompt, and its case is VERIFIED', async () => {
  proves('invariant-11');
  const { before, after, end } = session();
  const allowed = await before();
  expect(allowed).toMatchObject({ status: 200, body: { kind: 'allowed' } });
  const task = await newestTask();
  expect(world.of(task, 'outcome')).toEqual([]);
  expect((await after()).body).toEqual({ kind: 'recorded', action: allowed.body.action, status: 'ok' });
  await end();
  expect(world.of(task, 'task-opened')[0]?.body).toMatchObject({ implicit: true, ceiling: 'record' });
  const [intent] = world.of(task, 'intent');
  expect(intent).toMatchObject({
    observed: 'hook',
    body: { tier: 'record', tool: { server: 'hook:claude-code', name: 'Bash' }, authority: { pop: 'none' } },
  });
  const record = JSON.parse(contentOf(intent?.body.record));
  expect(record).toMatchObject({ arguments: '{"command":"npm test"}', operands: { kind: 'none' } });
  const message = JSON.parse(contentOf(intent?.body.authority.evidence));
  expect(message.params._meta).toMatchObject({
    'claudecode/toolUseId': 'toolu_1',
    'dev.deed/hook': { prompt_id: 'prompt-1', hook_event_name: 'PreToolUse' },
  });
  const [outcome] = world.of(task, 'outcome');
  expect(outcome).toMatchObject({ observed: 'hook', body: { status: 'ok' } });
  expect(JSON.parse(contentOf(outcome?.body.result))).toMatchObject({ tool_response: { stdout: 'fine' } });
  expect(world.of(task, 'task-closed')[0]?.body).toMatchObject({ reason: 'disconnect', open: [], count: 4 });
  expect(await verdictOf(task)).toMatchObject({ verdict: 'VERIFIED', reasons: [] });
});

test('in a task of an enrolled agent the call is signed, bound to the task, and only what it allows goes on', async () => {
  const worker = await world.worker([{ server: 'hook:claude-code', tools: ['Write'], paths: { under: [world.base] } }]);
  const { before, after } = session(worker);
  const write = (name: string, id: string) => ({
    ...{ tool_name: 'Write', tool_use_id: id },
    tool_input: { file_path: `${world.base}/${name}`, content: 'x' },
  });
  expect(await before()).toMatchObject({ status: 403, body: { title: 'outside-grant' } });
  expect(await before(write('../elsewhere', 'toolu_2'))).toMatchObject({
    status: 403,
    body: { title: 'outside-grant' },
  });
  expect(await before(write('.git/config', 'toolu_3'))).toMatchObject({ status: 403, body: { title: 'denied' } });
  expect(await before(write('inside', 'toolu_4'))).toMatchObject({ status: 200 });
  expect(await after(write('inside', 'toolu_4'))).toMatchObject({ status: 200, body: { status: 'ok' } });
  const [intent] = world.of(worker.task, 'intent');
  expect(intent?.body.authority.pop).toBe('shim');
  const real = `${realpathSync(world.base)}/inside`;
  expect(JSON.parse(contentOf(intent?.body.record)).operands).toEqual({
    kind: 'paths',
    paths: [{ argument: 'file_path', given: `${world.base}/inside`, real }],
  });
  expect(world.of(worker.task, 'refusal').map(({ body }) => body.reason)).toEqual([
    'outside-grant',
    'outside-grant',
    'denied',
  ]);
  await world.closeTask(worker.task);
  expect(await before({ tool_use_id: 'toolu_5' })).toMatchObject({ status: 403, body: { title: 'task-closed' } });
  expect(await verdictOf(worker.task)).toMatchObject({ verdict: 'VERIFIED', reasons: [] });
});

test('what needs more than tier record is refused, whatever the ceiling of its task', async () => {
  const worker = await world.worker([{ server: 'hook:claude-code' }]);
  expect(await session(worker).before({ tool_name: 'git_push' })).toMatchObject({
    status: 403,
    body: { title: 'outside-grant', detail: expect.stringContaining('the ceiling here is record') },
  });
});

test('a call without an outcome is unknown when the turn ends, and what comes later settles it', async () => {
  proves('invariant-1');
  const { before, after, stop, end } = session();
  await before();
  const task = await newestTask();
  await stop();
  expect(world.of(task, 'outcome').map(({ body }) => body.status)).toEqual(['unknown']);
  expect((await after({ hook_event_name: 'PostToolUseFailure', error: 'Exit code 1' })).body).toMatchObject({
    status: 'error',
  });
  const [first, second] = world.of(task, 'outcome');
  expect(second?.body.supersedes).toBe(first?.digest);
  await before({ tool_use_id: 'toolu_2' });
  await end();
  expect(world.of(task, 'outcome').map(({ body }) => body.status)).toEqual(['unknown', 'error', 'unknown']);
  expect(await verdictOf(task)).toMatchObject({ verdict: 'VERIFIED', reasons: [] });
});

test('a call that comes while its session ends is refused, or has an end, or begins a session anew', async () => {
  const { before, end } = session();
  await before();
  const task = await newestTask();
  const calls = Array.from({ length: 5 }, (_, i) => before({ tool_use_id: `toolu_${i + 2}` }));
  await Promise.all([end(), ...calls]);
  await end();
  await world.settled();
  for (const each of new Set([task, await newestTask()])) {
    expect(world.of(each, 'task-closed')).toHaveLength(1);
    expect(world.of(each, 'outcome')).toHaveLength(world.of(each, 'intent').length);
  }
});

test('the close of its task ends a call that is under way as unknown', async () => {
  const worker = await world.worker([{ server: 'hook:claude-code' }]);
  const { before } = session(worker);
  await before();
  await world.closeTask(worker.task);
  await world.settled();
  expect(world.of(worker.task, 'outcome')).toMatchObject([
    { body: { status: 'unknown' }, position: { chain: 'after' } },
  ]);
});

test('a call that another hook changed after it was decided is not said to have gone well', async () => {
  const { before, after, end } = session();
  await before();
  const task = await newestTask();
  expect((await after({ tool_input: { command: 'rm -rf /' } })).body).toMatchObject({ status: 'unknown' });
  await end();
  expect(JSON.parse(contentOf(world.of(task, 'outcome')[0]?.body.result)).tool_input).toEqual({ command: 'rm -rf /' });
  expect(await verdictOf(task)).toMatchObject({ verdict: 'VERIFIED' });
});

test('an id begins once, and an outcome is of a call that began', async () => {
  const { before, after } = session();
  expect(await after()).toMatchObject({ status: 400, body: { title: 'hook' } });
  const answers = await Promise.all([before(), before(), before()]);
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 403, 403]);
  expect(await after()).toMatchObject({ status: 200 });
  expect(await after()).toMatchObject({ status: 400, body: { title: 'hook' } });
});

test('nobody speaks in a task without its key: not before a call, and not after it', async () => {
  const [worker, other] = [await world.worker([{ server: 'hook:claude-code' }]), await world.worker()];
  const { before, tell } = session(worker);
  await before();
  const after = { hook_event_name: 'PostToolUse', tool_name: 'Bash', tool_input: {}, tool_use_id: 'toolu_1' };
  expect(await tell(after, other.sign)).toMatchObject({ status: 400, body: { title: 'hook' } });
  expect(await tell(after, async () => 'a b')).toMatchObject({ status: 401, body: { title: 'token-invalid' } });
  const call = { ...after, hook_event_name: 'PreToolUse', tool_use_id: 'toolu_2' };
  expect(await tell(call, other.sign)).toMatchObject({ status: 403 });
  expect(world.of(worker.task, 'outcome')).toEqual([]);
  expect(world.of(other.task, 'intent')).toEqual([]);
});

test.each([
  ['no JSON', 'not json'],
  ['no object', '[]'],
  ['a member twice', '{"session_id":"a","session_id":"b"}'],
  ['no session', '{"hook_event_name":"Stop"}'],
  [
    'no arguments of a kind',
    '{"session_id":"a","cwd":"/","hook_event_name":"PreToolUse","tool_name":"B","tool_input":[],"tool_use_id":"t"}',
  ],
  ['an event that nobody asked for', '{"session_id":"a","hook_event_name":"UserPromptSubmit"}'],
])('what is no event of a hook is refused: %s', async (_what, text) => {
  const send = async () => {
    const { message } = claudeCodeMessage(Buffer.from(text));
    const answer = await world.api('POST', '/v1/hooks/claude-code', {
      ...{ speaker: null, message: Buffer.from(message).toString('base64') },
    });
    expect(answer.status).toBe(400);
    throw Object.assign(new Error(), { code: answer.body.title });
  };
  await expect(send()).rejects.toMatchObject({ code: 'message' });
});

test('a session of nobody in particular ends when it is idle, and not while a call runs', async () => {
  const { authority, pins } = world.serving.deployment;
  const closed: string[] = [];
  const ended = new Promise<void>((resolve) => {
    const task = { open: newestTask, close: async (why: string) => void closed.push(why) };
    const desk = new HookDesk({ authority, pins, now: Date.now, idleMs: 1, implicitTask: () => task });
    const event = {
      session_id: 'idle',
      hook_event_name: 'PreToolUse',
      cwd: '/',
      tool_name: 'Bash',
      tool_use_id: 'toolu_i',
    };
    const said = (fields: object) => claudeCodeMessage(Buffer.from(JSON.stringify({ ...event, ...fields }))).message;
    const steps = async () => {
      const other = session();
      await other.before({ tool_use_id: 'toolu_open' }); // its implicit task is the newest one, and open
      await desk.take(null, said({}));
      expect(closed).toEqual([]);
      await desk.take(null, said({ hook_event_name: 'PostToolUse' }));
      await expect.poll(() => closed, { timeout: 20_000 }).toEqual(['idle']);
      await other.end();
    };
    resolve(steps());
  });
  await ended;
});
