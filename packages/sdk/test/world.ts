import { World } from '../../server/test/support/world.ts';
import type { AgentIdentity } from '../src/index.ts';
import { TaskClient } from '../src/index.ts';

/** A deployment that listens, and an agent at work in it by the SDK alone. */
export async function startWorld(options: Parameters<typeof World.begin>[0] = {}) {
  const world = await World.begin({ listen: { host: '127.0.0.1', port: 0 }, ...options });
  const url = () => world.serving.url ?? '';
  return {
    world,
    async worker(allow: readonly object[]) {
      const { agent, task } = await world.worker(allow);
      const key: AgentIdentity = { agent: agent.id, spiffe: agent.spiffe, origin: world.made.origin, key: agent.key };
      return { task, key, client: new TaskClient({ url: url(), key, task }) };
    },
  };
}
