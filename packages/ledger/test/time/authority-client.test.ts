import { utf8, verifyTimestamp } from '@deed/evidence';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { integer, sequence, TimestampAuthority } from '../../../evidence/test/support/timestamp-authority.ts';
import { requestTimestamp } from '../../src/time/authority-client.ts';
import { codeOf } from '../world.ts';
import { type Behaviour, HttpAuthority, honest, replyType, send } from './http-authority.ts';

let tsa: HttpAuthority;
beforeAll(async () => {
  tsa = await HttpAuthority.start();
});
afterAll(() => tsa.close());

const text = 'log.example/test\n1\nroot\n';
const ask = (behaviour: Behaviour, timeoutMs = 10_000) => {
  tsa.behaviour = behaviour;
  const endpoint = { url: tsa.url, certificate: tsa.authority.sha256 };
  return requestTimestamp(endpoint, text, { clock: Date.now, signal: AbortSignal.timeout(timeoutMs) });
};

test('the client takes an honest answer as it came', async () => {
  const { response, timestamp } = await ask(honest);
  expect(verifyTimestamp(response, utf8(text))).toEqual(timestamp);
});

const bent = (bend: Parameters<TimestampAuthority['answer']>[2], timeMs = 0): Behaviour => {
  return (request, response, authority) => send(response, authority.answer(request, Date.now() + timeMs, bend));
};
const stranger = new TimestampAuthority({ name: 'stranger' });

const lies: Readonly<Record<string, readonly [Behaviour, RegExp]>> = {
  'answers nothing': [() => {}, /cannot be reached: .*(timeout|aborted)/],
  'ends in the middle': [
    (_, response) => {
      response.writeHead(200, { 'content-type': replyType, 'content-length': '2000' }).write('x');
      response.destroy();
    },
    /cannot be reached/,
  ],
  'answers garbage': [(_, response) => send(response, utf8('hello')), /no usable timestamp/],
  'answers 10 MB': [(_, response) => send(response, new Uint8Array(10_000_000)), /more than 65536 bytes/],
  'answers a web page': [
    (_, response) => void response.writeHead(200, { 'content-type': 'text/html' }).end('<html>'),
    /answered 200 text\/html/,
  ],
  'sends elsewhere': [
    (_, response) => void response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(),
    /cannot be reached/,
  ],
  'says another nonce': [
    bent({ info: (draft) => void draft.info.nonce.set([1], draft.info.nonce.length - 1) }),
    /another request \(nonce\)/,
  ],
  'leaves out the nonce': [
    bent({
      info(draft) {
        draft.info.nonce = new Uint8Array();
      },
    }),
    /another request \(nonce\)/,
  ],
  'stamps something else': [
    (_, response, authority) => send(response, authority.stamp(utf8('else'), Date.now())),
    /stamps other bytes/,
  ],
  'signs with another certificate': [
    (request, response) => send(response, stranger.answer(request, Date.now())),
    /expected [0-9a-f]{64}/,
  ],
  refuses: [
    bent({
      signed(draft) {
        draft.status = 2;
      },
    }),
    /status 2/,
  ],
  'knows the day only': [
    bent({
      info(draft) {
        draft.info.accuracy = sequence(integer(1, 0x51, 0x80));
      },
    }),
    /knows the time to 86400 s only/,
  ],
  'lives an hour ago': [bent({}, -3_600_000), /one of the two clocks is wrong/],
  'lives in an hour': [bent({}, 3_600_000), /one of the two clocks is wrong/],
};

describe('the client takes no answer of an authority that', () => {
  for (const [sentence, [behaviour, says]] of Object.entries(lies)) {
    test(sentence, async () => {
      const asked = ask(behaviour, sentence === 'answers nothing' ? 100 : 10_000);
      const error: unknown = await asked.then(String, (cause) => cause);
      expect(codeOf(error)).toBe('timestamp');
      expect((error as Error).message).toMatch(says);
    });
  }

  test('is not there', async () => {
    const endpoint = { url: 'http://127.0.0.1:1/', certificate: tsa.authority.sha256 };
    const asked = requestTimestamp(endpoint, text, { clock: Date.now, signal: AbortSignal.timeout(10_000) });
    await expect(asked).rejects.toMatchObject({
      code: 'timestamp',
      message: expect.stringMatching(/cannot be reached/),
    });
  });
});
