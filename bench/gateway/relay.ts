import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Agent, request as httpRequest } from 'node:http';
import { fileURLToPath } from 'node:url';
import { makePlace } from './place.ts';
import { inTurns } from './rounds.ts';

/** A conversation as agents have it: some forty messages, 20 KB. */
const body = JSON.stringify({
  model: 'm',
  stream: true,
  messages: Array.from({ length: 40 }, (_, at) => ({ role: at % 2 ? 'assistant' : 'user', content: 'x'.repeat(480) })),
});

/** One streamed completion after the other, over one connection. */
function completions(url: string) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const headers = {
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(body)),
    authorization: 'Bearer none',
  };
  const call = () =>
    new Promise<void>((resolve, reject) => {
      const request = httpRequest(`${url}/v1/chat/completions`, { method: 'POST', agent, headers }, (response) => {
        let last = '';
        response.setEncoding('utf8').on('data', (part) => {
          last = part;
        });
        response.on('end', () => (last.endsWith('[DONE]\n\n') ? resolve() : reject(new Error(last))));
      });
      request.on('error', reject);
      request.end(body);
    });
  return { call, end: () => agent.destroy() };
}

/** A streamed completion of a model: directly, and through the relay, which takes a copy of both sides and reads what was asked for. */
export async function relay(): Promise<readonly (readonly string[])[]> {
  const model = spawn(process.execPath, [fileURLToPath(new URL('model.ts', import.meta.url))], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(model.stdout, 'data')) as [Buffer];
  const { url } = JSON.parse(String(line)) as { readonly url: string };
  const place = await makePlace();
  await place.client.post('/v1/models', { name: 'openai', url });
  const { task } = await place.worker('none');
  const { key } = await place.client.post<{ key: string }>('/v1/model-keys', { task });
  const [direct, behind] = [completions(url), completions(`${place.url}/model/${key}/openai`)];
  try {
    return await inTurns([
      { name: 'direct: 41 events', call: direct.call },
      { name: 'through the relay of Deed', call: behind.call },
    ]);
  } finally {
    direct.end();
    behind.end();
    await place.end();
    model.kill();
  }
}
