import { writeFileSync } from 'node:fs';
import { createServer, request as httpRequest, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { approvingPolicy } from '../../server/test/support/policy.ts';
import { service } from '../../server/test/support/service.ts';
import { ActionRefused, DeedSdkError, guard, ServerUnreachable, TaskClient } from '../src/index.ts';
import { startWorld } from './world.ts';

let place: Awaited<ReturnType<typeof startWorld>>;
let bank: Awaited<ReturnType<typeof service>>;
beforeAll(async () => {
  place = await startWorld({ policyFolder: approvingPolicy() });
  bank = await service((_, response) =>
    response.writeHead(200, { 'content-type': 'application/json' }).end('{"id":1}'),
  );
  const operations = ['pay', 'approve_pay'].map((name) => ({ name, method: 'POST', path: `/${name}` }));
  await place.world.post('/v1/tools', { name: 'bank', kind: 'plain', url: bank.url, operations });
});
afterAll(async () => {
  await place.world.end();
  bank.stop();
});

const allow = [{ server: 'self:mail' }, { server: 'bank' }];
const call = { server: 'self:mail', tool: 'send', arguments: { to: 'a' } };

const statusesOf = (task: string) => place.world.of(task, 'outcome').map(({ body }) => body.status);

describe('guard', () => {
  test('makes the call after its intent is in the log, and tells what came of it', async () => {
    const { client, task } = await place.worker(allow);
    let seen = 0;
    const execute = () => {
      seen = place.world.of(task, 'intent').length;
      return { id: 7 };
    };
    expect(await guard(client, { call, execute })).toEqual({ id: 7 });
    expect(seen).toBe(1);
    expect(statusesOf(task)).toEqual(['ok']);
  });

  test('does nothing that is refused', async () => {
    const { client } = await place.worker(allow);
    const execute = vi.fn();
    const refused = guard(client, { call: { ...call, server: 'self:phone' }, execute });
    await expect(refused).rejects.toThrow(ActionRefused);
    await expect(refused).rejects.toMatchObject({
      code: 'outside-grant',
      status: 403,
      action: expect.stringMatching(/^act_/),
    });
    expect(execute).not.toHaveBeenCalled();
  });

  test('tells of a call that failed, and throws what it threw', async () => {
    const { client, task } = await place.worker(allow);
    const execute = () => Promise.reject(new Error('no mail today'));
    await expect(guard(client, { call, execute })).rejects.toThrow('no mail today');
    expect(statusesOf(task)).toEqual(['error']);
  });

  test('makes no call twice under one key', async () => {
    const { client } = await place.worker(allow);
    const execute = vi.fn(() => 1);
    const once = { call: { ...call, idempotencyKey: 'once' }, execute };
    expect(await guard(client, once)).toBe(1);
    await expect(guard(client, once)).rejects.toMatchObject({ code: 'ended' });
    expect(execute).toHaveBeenCalledTimes(1);
  });

  test('makes no call while nobody can be asked', async () => {
    const { key, task } = await place.worker(allow);
    const client = new TaskClient({ url: 'http://127.0.0.1:1', key, task });
    const execute = vi.fn();
    await expect(guard(client, { call, execute })).rejects.toThrow(ServerUnreachable);
    expect(execute).not.toHaveBeenCalled();
  });

  test('records nothing of a value that JSON cannot hold, and gives it back as it is', async () => {
    const { client, task } = await place.worker(allow);
    expect(await guard(client, { call, execute: () => 10n })).toBe(10n);
    expect(statusesOf(task)).toEqual(['ok']);
  });

  test('gives the value of a call back that it could not tell of any more, with a warning', async () => {
    const { client, task } = await place.worker(allow);
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const result = vi.spyOn(client, 'result').mockRejectedValue(new ServerUnreachable('gone'));
    expect(await guard(client, { call, execute: () => 'done' })).toBe('done');
    expect(warned).toHaveBeenCalledWith(expect.stringContaining('could not be told: gone'), { code: 'DEED_UNTOLD' });
    expect(statusesOf(task)).toEqual([]);
    for (const spy of [warned, result]) spy.mockRestore();
  });
});

describe('a client', () => {
  test('has the gateway make a call, and waits for the people whom it takes', async () => {
    const { client, task } = await place.worker(allow);
    const paid = await client.execute({ server: 'bank', tool: 'pay', arguments: { amount: 1 } });
    expect(paid).toMatchObject({ state: 'ok', response: { status: 200, text: '{"id":1}' } });
    const held: string[] = [];
    const running = client.execute(
      { server: 'bank', tool: 'approve_pay', arguments: { amount: 2 } },
      { onHeld: ({ action }) => held.push(action) },
    );
    const { approvals } = place.world.serving.deployment.authority;
    await vi.waitFor(() => expect(approvals.list()).toHaveLength(1), 10_000);
    await place.world.answer(approvals.list()[0]?.id ?? '', 'approve');
    expect(await running).toMatchObject({ state: 'ok', tier: 'approve' });
    expect(bank.asked.map(({ path }) => path)).toEqual(['/pay', '/approve_pay']);
    expect(place.world.of(task, 'approval')).toHaveLength(1);
  });

  test('throws when people say no', async () => {
    const { client } = await place.worker(allow);
    const running = client.execute({ server: 'bank', tool: 'approve_pay', arguments: { amount: 3 } });
    const { approvals } = place.world.serving.deployment.authority;
    await vi.waitFor(() => expect(approvals.list()).toHaveLength(1), 10_000);
    await place.world.answer(approvals.list()[0]?.id ?? '', 'reject');
    await expect(running).rejects.toMatchObject({ code: 'rejected', status: 403 });
  });

  test('asks again where an answer is lost, and the call is made once', async () => {
    const { key, task } = await place.worker(allow);
    const before = bank.asked.length;
    const lossy = await losing(place.world.serving.url ?? '', 2);
    const client = new TaskClient({ url: place.world.serving.url ?? '', key, task });
    Object.assign(client, { url: lossy.url });
    expect(await client.execute({ server: 'bank', tool: 'pay', arguments: { amount: 4 } })).toMatchObject({
      state: 'ok',
    });
    expect(lossy.lost()).toBe(2);
    expect(bank.asked).toHaveLength(before + 1);
    lossy.server.close();
  });

  test('tells how an action stands, and asks for the end of its task', async () => {
    const { client, task } = await place.worker(allow);
    const { action } = await client.act(call);
    expect(await client.state(action)).toMatchObject({ action, state: 'begun' });
    await client.result(action, 'ok', { id: 1 });
    expect(await client.state(action, { waitSeconds: 0 })).toMatchObject({ state: 'ok' });
    await client.askToClose();
    const { body } = await place.world.api('GET', `/v1/tasks/${task}`);
    expect(body.asked).not.toBeNull();
    await place.world.closeTask(task);
    await expect(client.act(call)).rejects.toMatchObject({ code: 'task-closed' });
  });

  test('reads the key file of an agent, and says what is wrong with another file', async () => {
    const { key, task } = await place.worker(allow);
    const file = join(place.world.base, 'agent.key.json');
    const pem = key.key.export({ type: 'pkcs8', format: 'pem' });
    writeFileSync(file, JSON.stringify({ ...key, key: pem }));
    const client = new TaskClient({ url: place.world.serving.url ?? '', key: file, task });
    expect(await client.act(call)).toMatchObject({ state: 'begun' });
    writeFileSync(file, '{"agent":"agt_1"}');
    const open = () => new TaskClient({ url: 'http://127.0.0.1:1', key: file, task });
    expect(open).toThrow(DeedSdkError);
    expect(open).toThrow(/agent\.key\.json is no key file of an agent/);
  });
});

/** A way to the server that loses so many answers, after the server gave them. */
async function losing(to: string, count: number) {
  let lost = 0;
  const server: Server = createServer((request, response) => {
    const onward = httpRequest(
      `${to}${request.url}`,
      { method: request.method, headers: request.headers },
      (answer) => {
        if (lost < count) {
          lost++;
          answer.resume();
          answer.once('end', () => response.destroy());
          return;
        }
        response.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.pipe(response);
      },
    );
    request.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, lost: () => lost };
}
