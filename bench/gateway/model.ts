import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A model that streams the same answer to everybody: forty events, each as soon as the one before has left. */
const events = Array.from(
  { length: 40 },
  (_, at) => `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content: `word ${at} ` } }] })}\n\n`,
);
const server = createServer((request, response) => {
  request.resume();
  request.once('end', async () => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (const event of events) {
      response.write(event);
      await new Promise((soon) => setImmediate(soon));
    }
    response.end('data: [DONE]\n\n');
  });
});
server.listen(0, '127.0.0.1', () => {
  console.log(JSON.stringify({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }));
});
