import { World } from '../world.ts';
import { finishedTask } from './world.ts';

/** Erases a task in a folder of its own and is killed between the statement and the first file. Prints what a test needs. */
const world = await World.begin();
const { task } = await finishedTask(world);
const { payloads } = world.authority.erasures.plan({ task });
process.stdout.write(`${JSON.stringify({ base: world.base, init: world.init, task, payloads })}\n`, () => {
  world.authority.vault.taskKeys.destroyKey = () => process.kill(process.pid, 'SIGKILL');
  void world.authority.erasures.erase({ task, by: { kind: 'person', person: world.init.person }, why: 'asked for' });
});
