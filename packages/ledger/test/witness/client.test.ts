import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { formatNote, formatSignatureLine, formatVkey, parseNote } from '@deed/evidence';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Ledger, loadLogKeys, makeLogKeys, pemNoteSigner } from '../../src/index.ts';
import { draft, origin, until, World } from '../world.ts';

let world: World;
beforeEach(() => {
  world = new World();
});
afterEach(() => world.tidy());

type Answer = (request: IncomingMessage, body: string, response: ServerResponse) => void;

/** A witness that knows nothing of the log when it is asked, and does as told when it is to sign. */
async function badWitness(answer: Answer): Promise<string> {
  const server = createServer(async (request, response) => {
    if (request.method === 'GET') return void response.writeHead(404).end();
    let body = '';
    for await (const part of request.setEncoding('utf8')) body += part;
    answer(request, body, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  world.closing({
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Resolves when the ledger says why a witness failed. */
async function failureOf(ledger: Ledger, witness: string): Promise<string> {
  const failed = () => ledger.witnessHealth().find(({ name }) => name === witness)?.failed;
  await until(failed);
  return failed()?.why ?? '';
}

const noteOf = (body: string) => body.slice(body.indexOf('\n\n') + 2);
const seconds = () => Math.floor(Date.now() / 1000);

interface Case {
  readonly why: RegExp;
  /** Signs with the key that it should have. */
  answer(sign: (text: string, time: number) => string): Answer;
}

const cases: Readonly<Record<string, Case>> = {
  'signs another text': {
    why: /does not verify/,
    answer: (sign) => (_, body, response) =>
      response.end(sign(parseNote(noteOf(body)).text.replace('\n1\n', '\n2\n'), seconds())),
  },
  'signs with another key': {
    why: /no cosignature of its own/,
    answer: () => (_, body, response) => {
      const { signers } = loadLogKeys('witness.example/signs-with-another-key', makeLogKeys());
      const { text } = parseNote(noteOf(body));
      response.end(signers.map((signer) => formatSignatureLine(signer.sign(text, seconds()))).join(''));
    },
  },
  'sends an old cosignature again': {
    why: /time in the past/,
    answer: (sign) => (_, body, response) => response.end(sign(parseNote(noteOf(body)).text, seconds() - 3600)),
  },
  'signs with a time far in the future': {
    why: /time in the future/,
    answer: (sign) => (_, body, response) => response.end(sign(parseNote(noteOf(body)).text, seconds() + 3600)),
  },
  'signs without a time': {
    why: /no cosignature of its own/,
    answer: (sign) => (_, body, response) => response.end(sign(parseNote(noteOf(body)).text, 0)),
  },
  'sends the whole note back': {
    why: /no usable cosignature/,
    answer: () => (_, body, response) => response.end(noteOf(body)),
  },
  'sends a megabyte': {
    why: /too long/,
    answer: () => (_request, _body, response) => response.end('x'.repeat(1_000_000)),
  },
  redirects: {
    why: /redirect/,
    answer: () => (_request, _body, response) =>
      response.writeHead(307, { location: 'http://127.0.0.1:1/add-checkpoint' }).end(),
  },
  'names a size that it cannot prove': {
    why: /answered 409/,
    answer: () => (_request, _body, response) =>
      response.writeHead(409, { 'content-type': 'text/x.tlog.size' }).end('999999\n'),
  },
  'names ever other sizes': {
    why: /other sizes|answered 409/,
    answer: () => {
      let size = 0;
      return (_request, _body, response) => response.writeHead(409).end(`${size++ % 2}\n`);
    },
  },
  'answers with an error that would colour a terminal': {
    why: /answered 500: {2}\[31mred/,
    answer: () => (_request, _body, response) => response.writeHead(500).end('\n\u001b[31mred'),
  },
  'never answers': {
    why: /aborted due to timeout/,
    answer: () => () => undefined,
  },
  'breaks off': {
    why: /no usable answer/,
    answer: () => (request) => request.socket.destroy(),
  },
};

test('a witness that lies, hangs or is away harms nobody, and is named with what it did', async () => {
  const good = await world.witness();
  const bad = await Promise.all(
    Object.entries(cases).map(async ([name, { answer }]) => {
      const signer = pemNoteSigner(`witness.example/${name.replaceAll(' ', '-')}`, 0x04, makeLogKeys().ed25519);
      const url = await badWitness(answer((text, time) => formatSignatureLine(signer.sign(text, time))));
      return { name, vkey: formatVkey(signer.key), url };
    }),
  );
  const ledger = await world.ledger({
    witnesses: [good.endpoint, ...bad],
    quorum: { groups: [], quorum: 'local' },
    witnessTimeoutMs: 500,
  });
  const checkpoint = await ledger.record(draft('deployment')).witnessed();
  expect(parseNote(checkpoint.note).signatures.map(({ name }) => name)).toEqual([
    origin,
    origin,
    'witness.example/local',
  ]);
  for (const [name, { why }] of Object.entries(cases)) {
    expect(await failureOf(ledger, name), name).toMatch(why);
    expect(ledger.witnessHealth().find((one) => one.name === name)).toMatchObject({ answers: false, cosigned: null });
  }
  expect(ledger.witnessHealth()[0]).toMatchObject({ name: 'local', answers: true, failed: null });
  // What comes next is witnessed by the good one all the same.
  expect((await ledger.record(draft('deployment')).witnessed()).witnessed).toBe(true);
  expect(world.fatal).toEqual([]);
});

test('a witness that is further than we knew is asked again from where it stands', async () => {
  const { endpoint, witness } = await world.witness();
  const first = await world.ledger({ witnesses: [endpoint] });
  await first.record(draft('deployment')).witnessed();
  const recorded = first.record(draft('deployment'));
  await recorded.published();
  await recorded.witnessed();
  await world.close(first);
  // Its answer to the start is kept back, so the client begins at 0 and is told 2.
  const forgetful = await badWitness((request, body, response) => {
    const forward = httpRequest(`${witness.url}${request.url}`, { method: 'POST' }, (answer) => {
      response.writeHead(answer.statusCode ?? 0, answer.headers);
      answer.pipe(response);
    });
    forward.end(body);
  });
  const again = await world.ledger({ witnesses: [{ ...endpoint, url: forgetful }] });
  const checkpoint = await again.record(draft('deployment')).witnessed();
  expect(checkpoint).toMatchObject({ size: 3, witnessed: true });
  expect(again.witnessHealth()).toMatchObject([{ answers: true, cosigned: { size: 3 }, failed: null }]);
});

test('what a witness says it knows is believed only with our signature and its own', async () => {
  const { endpoint } = await world.witness();
  const liar = createServer((_, response) => {
    const text = `${origin}\n99\n${Buffer.alloc(32, 7).toString('base64')}\n`;
    const other = loadLogKeys(origin, makeLogKeys());
    response.end(formatNote({ text, signatures: other.signers.map((signer) => signer.sign(text, seconds())) }));
  });
  await new Promise<void>((resolve) => liar.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(liar.address() as AddressInfo).port}`;
  const ledger = await world.ledger({ witnesses: [{ ...endpoint, url }] });
  expect(ledger.isReady).toBe(false);
  expect(ledger.witnessHealth()[0]?.failed?.why).toMatch(/signatures are missing/);
  expect(() => ledger.record(draft('deployment'))).toThrow(/not yet confirmed/);
  await world.close(ledger);
  liar.closeAllConnections();
  liar.close();
});
