import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodeHold, newId } from '@deed/evidence';
import { traceOf } from '../../src/vault/envelope.ts';
import { Worker, type World } from '../world.ts';

/** What only an erasure may take, in a task of its own: small and large, in the database and among the objects. */
export const personal = 'Jane Doe, 12 Elm Street';
const large = JSON.stringify({ text: `${personal} `.repeat(4000) });

/** A closed task with one written action, of which the answer is large. */
export async function finishedTask(world: World): Promise<{ readonly worker: Worker; readonly task: string }> {
  const worker = await Worker.begin(world);
  const { actions, tasks } = world.authority;
  const args = JSON.stringify({ content: personal });
  const admitted = await worker.admitted('write_file', args);
  const proposal = worker.propose('write_file', { args });
  const intent = actions.intend(admitted, proposal, actions.decide(admitted, proposal));
  await intent.durable;
  await actions.conclude(intent, { status: 'ok', result: { bytes: Buffer.from(large) } }).durable;
  await tasks.close(worker.task.id, 'principal');
  return { worker, task: worker.task.id };
}

/** The sealed bytes of payloads, by which copies are found: from the database and from the objects. */
export function tracesOf(world: World, names: readonly string[]): readonly Buffer[] {
  return names.map((name) => {
    const row = world.ledger.database.get<{ sealed: Uint8Array }>('SELECT sealed FROM payload WHERE name = ?', name);
    const object = () => readFileSync(join(world.dir, 'objects', name.slice(0, 2), name.slice(2, 4), name));
    return Buffer.from(traceOf(row?.sealed ?? object()));
  });
}

/** Which of these byte strings stand anywhere in the files of the data folder. */
export function onDisk(world: World, wanted: readonly Uint8Array[]): number {
  const files = readdirSync(world.dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const raw = files.map((file) => readFileSync(join(file.parentPath, file.name)));
  return wanted.filter((one) => raw.some((bytes) => bytes.includes(Buffer.from(one)))).length;
}

/** An operator's signed word about a hold. */
export function holdWord(world: World, over: Partial<Parameters<typeof encodeHold>[0]> & { readonly task: string }) {
  const fields = {
    act: 'placed',
    origin: world.init.origin,
    hold: newId('hold', world.clock.now()),
    reason: 'a claim is pending',
    person: world.init.person,
    time: new Date(world.clock.now()).toISOString(),
  } as const;
  return world.person.word('deed-hold-v1', encodeHold({ ...fields, ...over }));
}
