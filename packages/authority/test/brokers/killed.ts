import { postgresBroker } from '../../src/brokers/postgres.ts';
import { World } from '../world.ts';

/** Opens a task whose credential is made, and is killed before the task is opened. Prints what a test needs. */
const options = JSON.parse(process.argv[2] ?? '');
const real = postgresBroker({ ...options, servers: () => ['orders'] });
const world = await World.begin();
world.brokers = [
  {
    ...real,
    async mint(request) {
      const minted = await real.mint(request);
      const line = `${JSON.stringify({ base: world.base, init: world.init, role: minted.id })}\n`;
      await new Promise<void>((resolve) => process.stdout.write(line, () => resolve()));
      process.kill(process.pid, 'SIGKILL');
      return minted;
    },
  },
];
await world.restart();
const { agent } = await world.enrol();
await world.task(agent.id, { allow: [{ server: 'orders' }] });
