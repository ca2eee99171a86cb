import { request as httpRequest } from 'node:http';

export interface Answer {
  readonly status: number;
  readonly text: string;
}

export function post(url: string, body: Uint8Array, headers: Record<string, string> = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const out = httpRequest(url, { method: 'POST', headers, agent: false }, async (response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
      resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() });
    });
    out.on('error', reject).end(body);
  });
}

/** The status of a GET whose path is sent as it is: URL would tidy it up first. */
export function rawGet(baseUrl: string, path: string): Promise<number> {
  const { hostname, port } = new URL(baseUrl);
  return new Promise((resolve, reject) => {
    const out = httpRequest({ hostname, port, path, agent: false }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode ?? 0));
    });
    out.on('error', reject).end();
  });
}

export function pkt(text: string): string {
  return (text.length + 4).toString(16).padStart(4, '0') + text;
}
