import { systemClock } from '../../packages/authority/src/clock.ts';
import { Worker, World } from '../../packages/authority/test/world.ts';
import { quantile } from './measure.ts';

const tasks = 100;
/** Messages that are sent at each task while it is closed. */
const sendersOfTask = 4;
const busyTasks = 8;
const messagesOfSender = 30;

/**
 * Time-to-dead: from the call of `close` to the last message of the task that was let in, and to the first that was refused,
 * while other tasks are at work. Proofs are made before, so that the senders do nothing but send.
 */
export async function closing(): Promise<readonly (readonly string[])[]> {
  const world = await World.begin({ ...systemClock, advance() {} });
  const { actions } = world.authority;
  let working = true;
  const busy = Array.from({ length: busyTasks }, async () => {
    const worker = await Worker.begin(world);
    while (working) {
      await worker.renew();
      for (let i = 0; i < 20 && working; i++) {
        const admitted = await worker.admitted('write_file');
        const proposal = worker.propose('write_file');
        const intent = actions.intend(admitted, proposal, actions.decide(admitted, proposal));
        await intent.durable;
        await actions.conclude(intent, { status: 'ok' }).durable;
      }
    }
  });
  const lastAdmitted: number[] = [];
  const firstRefused: number[] = [];
  const durable: number[] = [];
  for (let n = 0; n < tasks; n++) {
    const worker = await Worker.begin(world);
    const made = await Promise.all(
      Array.from({ length: sendersOfTask * messagesOfSender }, () => worker.message('write_file')),
    );
    const admitted: number[] = [];
    const refused: number[] = [];
    let begun = () => {};
    const sending = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const send = async (message: (typeof made)[number]) => {
      await actions.admit(message).then(
        () => admitted.push(performance.now()),
        () => refused.push(performance.now()),
      );
      begun();
      await new Promise((resolve) => setImmediate(resolve));
    };
    const senders = Array.from({ length: sendersOfTask }, async (_, i) => {
      for (const message of made.slice(i * messagesOfSender, (i + 1) * messagesOfSender)) await send(message);
    });
    await sending;
    const closedAt = performance.now();
    const closed = world.authority.tasks.close(worker.task.id, 'operator').then(() => performance.now());
    await Promise.all(senders);
    if (refused.length === 0) throw new Error('no message came after the closing: send more');
    durable.push((await closed) - closedAt);
    lastAdmitted.push(Math.max(0, ...admitted.map((at) => at - closedAt)));
    firstRefused.push(Math.min(...refused.map((at) => at - closedAt)));
  }
  working = false;
  await Promise.all(busy);
  await world.end();
  const row = (name: string, values: readonly number[]) => [
    name,
    ...[0.5, 0.99, 1].map((p) => quantile(values, p).toFixed(2)),
  ];
  return [
    [`${tasks} tasks closed, ms after close was called`, 'p50', 'p99', 'most'],
    row('the last message was let in', lastAdmitted),
    row('the first message was refused', firstRefused),
    row('the closing was durable', durable),
  ];
}
