// How a scripted model inside a network namespace is reached from outside, and the way back: by sockets in the file system, which know
// no network. Used by the sessions of agents (agent-sessions.ts).
import { once } from 'node:events';
import { connect, createServer } from 'node:net';

/** Listens there and passes every connection on, byte for byte. Gives the port, if it is one of the network. */
export async function passOn(from, to) {
  const server = createServer((near) => {
    const far = connect(to);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ]) {
      one.on('error', () => other.destroy());
      one.pipe(other);
    }
  });
  server.listen(...from);
  await once(server, 'listening');
  const stop = () => server.close();
  return { port: server.address().port, stop };
}

/**
 * Inside of the namespace: shows the model outside, and gives the address under which the client reaches it, through what stands between.
 * @param port of the model
 * @param model {inside, outside, path} or nothing: the client speaks to the model itself
 */
export async function addressOf(port, model) {
  if (!model) return { url: `http://127.0.0.1:${port}`, stop: () => {} };
  const shown = await passOn([model.outside], { host: '127.0.0.1', port });
  const way = await passOn([0, '127.0.0.1'], { path: model.inside });
  const stop = () => {
    shown.stop();
    way.stop();
  };
  return { url: `http://127.0.0.1:${way.port}${model.path}`, stop };
}
