import { createHmac } from 'node:crypto';
import { sign } from '@octokit/webhooks-methods';
import { describe, expect, it } from 'vitest';
import { isFrom, type Sender } from '../../src/webhook/senders.ts';

const secret = 'a secret of the test';
const body = Buffer.from('{"hello": "wörld"}\n');
const now = 1_795_348_800_000;
const whsec = `whsec_${Buffer.from('another secret of the test').toString('base64')}`;

/** A true delivery of each sender; GitHub's is signed by its own library, the others as their pages say. */
async function delivery(sender: Sender, at = now): Promise<Record<string, string>> {
  if (sender === 'github') return { 'x-hub-signature-256': await sign(secret, body.toString()) };
  if (sender === 'gitlab') return { 'x-gitlab-token': secret };
  if (sender === 'stripe') {
    const time = Math.floor(at / 1000);
    const mac = (key: string) => createHmac('sha256', key).update(`${time}.`).update(body).digest('hex');
    // As while a secret is rolled: one signature for each.
    return { 'stripe-signature': `v0=${mac('test')},t=${time},v1=${mac('the old secret')},v1=${mac(secret)}` };
  }
  const time = String(Math.floor(at / 1000));
  const key = Buffer.from(whsec.slice('whsec_'.length), 'base64');
  const mac = createHmac('sha256', key).update(`msg_1.${time}.`).update(body).digest('base64');
  return {
    'webhook-id': 'msg_1',
    'webhook-timestamp': time,
    'webhook-signature': `v1,${Buffer.alloc(32).toString('base64')} v1,${mac}`,
  };
}

const secretOf = (sender: Sender) => (sender === 'standard' ? whsec : secret);
const accepted = (sender: Sender, headers: Record<string, string>, over: { body?: Buffer; secret?: string } = {}) =>
  isFrom(sender, over.secret ?? secretOf(sender), (name) => headers[name], over.body ?? body, now);

describe('a delivery', () => {
  it.each(['github', 'gitlab', 'stripe', 'standard'] as const)(
    'of %s is believed if it is signed with the secret, and else not',
    async (sender) => {
      const headers = await delivery(sender);
      expect(accepted(sender, headers)).toBe(true);
      expect(accepted(sender, headers, { secret: `whsec_${Buffer.from('a wrong one').toString('base64')}` })).toBe(
        false,
      );
      expect(accepted(sender, {})).toBe(false);
      for (const name of Object.keys(headers))
        for (const wrong of ['', 'sha256=', 't=,v1=', 'v1,', `${headers[name]?.slice(0, -1)}`, `${headers[name]}0`])
          expect(accepted(sender, { ...headers, [name]: wrong }), `${name}: ${wrong}`).toBe(false);
    },
  );

  it.each(['github', 'stripe', 'standard'] as const)('of %s is for its exact bytes', async (sender) => {
    const headers = await delivery(sender);
    expect(accepted(sender, headers, { body: Buffer.from(body.toString().replace('"hello": ', '"hello":')) })).toBe(
      false,
    );
    expect(accepted(sender, headers, { body: Buffer.concat([body, Buffer.from(' ')]) })).toBe(false);
  });

  it.each(['stripe', 'standard'] as const)('of %s is of now', async (sender) => {
    for (const away of [-301_000, 301_000]) expect(accepted(sender, await delivery(sender, now + away))).toBe(false);
    for (const away of [-299_000, 299_000]) expect(accepted(sender, await delivery(sender, now + away))).toBe(true);
  });
});
