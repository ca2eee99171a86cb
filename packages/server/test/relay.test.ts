import { afterAll, beforeAll, expect, test } from 'vitest';
import { proves } from '../../../tests/promises.ts';
import { type Direct, startDirectly } from './support/direct.ts';
import { type Worker, World } from './support/world.ts';

let world: World;
let argv: readonly string[];
let worker: Worker;
beforeAll(async () => {
  world = await World.begin();
  argv = await world.scripted();
  worker = await world.worker();
});
afterAll(() => world.end());

const initialize = `{ "id":"in\\u0069t" , "method":"initialize","jsonrpc":"2.0",
"params":{"protocolVersion":"2025-06-18","capabilities":{ "sampling":{} },"clientInfo":{"name":"t","version":"1"}}}`.replace(
  '\n',
  '\t',
);

/** What the protocol does not ask us to judge, in spellings that a re-serialisation would lose. */
const lines = [
  initialize,
  '{"jsonrpc":"2.0","method":"notifications/initialized"}  ',
  '{"method":"ping","jsonrpc":"2.0","id":7,"params":{"_meta":{"progressToken":1.50e+1,"x/y":"\\u00e9\\/"}}}',
  '{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":0.10,"progressToken":"t"}}',
  '   {"jsonrpc" : "2.0", "id" : "lo-\\u006cg", "method" : "logging/setLevel", "params" : {"level":"info"}}',
  '{"jsonrpc":"2.0","id":9,"method":"resources/list"}\r',
  '{"jsonrpc":"2.0","id":10,"method":"tools/list","params":{}}',
];

async function exchange(direct: Direct): Promise<void> {
  for (const line of lines) {
    if (!/"id"/.test(line)) direct.send(line);
    else {
      const answered = direct.line();
      direct.send(line);
      await answered;
    }
  }
  await direct.end();
}

test('both ways lines pass byte for byte, as on a direct connection to the same tool', async () => {
  proves('byte-relay');
  const direct = startDirectly(argv, { MARKS: world.marksFile });
  await exchange(direct);
  const seenDirectly = world.marks();
  expect(seenDirectly).toHaveLength(lines.length);

  const connection = await world.connect(argv, worker);
  for (const line of lines) {
    const answered = /"id"/.test(line) ? connection.line() : undefined;
    await connection.send(line);
    await answered;
  }
  await connection.close();
  expect(world.marks().slice(lines.length)).toEqual(seenDirectly);
  expect(connection.lines).toEqual(direct.lines);
  expect(connection.lines).toContain('{  "result":{ },"_meta2":1.0e0 , "id":7,"jsonrpc":"2.0"}');
});

test('a call reaches the tool with the client’s bytes, and its answer the client with the tool’s', async () => {
  proves('byte-relay');
  const line =
    '{"params" : {"_meta":{"progressToken":0.0}, "arguments":{"n":1.00, "big":1E3,"s":"\\u0041"},"name":"echo"},"method":"tools/call","id":"c-\\u0031","jsonrpc":"2.0"}';
  const direct = startDirectly(argv);
  const answered = direct.line();
  direct.send(line);
  const answer = await answered;
  await direct.end();

  const connection = await world.connect(argv, worker);
  const came = connection.line();
  await connection.send(line);
  expect(await came).toBe(answer);
  expect(world.calls().at(-1)).toBe(line);
  await connection.close();
});

test('a request of the tool with id 0 reaches the client as it is, and the client’s answer the tool', async () => {
  proves('byte-relay');
  const connection = await world.connect(argv, worker);
  const asked = connection.line((line) => line.includes('sampling'));
  const before = world.marks().length;
  await connection.call('ask');
  expect(await asked).toBe(
    '{ "jsonrpc":"2.0", "id" : 0,"method":"sampling/createMessage","params":{"maxTokens":1e2,"_meta":{"a/b":1.50}} }',
  );
  const answer = '{"id":0 ,"jsonrpc":"2.0", "result":{"role":"assistant","model":"m","_meta":{"n":2.50}}}';
  await connection.send(answer);
  await connection.request('ping');
  expect(world.marks().slice(before)).toContain(answer);
  await connection.close();
});

test('what passes is neither decided nor recorded', async () => {
  const mine = await world.worker();
  const connection = await world.connect(argv, mine);
  await connection.request('initialize', { protocolVersion: '2025-06-18', capabilities: {} });
  await connection.request('tools/list');
  await connection.close();
  expect(world.statements(mine.task).map(({ predicate }) => predicate)).toEqual(['task-opened']);
});
