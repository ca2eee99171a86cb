import { createHmac } from 'node:crypto';
import { sign } from '@octokit/webhooks-methods';
import { Webhook } from 'standardwebhooks';
import { describe, expect, it } from 'vitest';
import { isFrom, type Sender } from '../../src/webhook/senders.ts';

const secret = 'a secret of the test';
const body = Buffer.from('{"hello": "wörld"}\n');
const now = 1_795_348_800_000;
const whsec = `whsec_${Buffer.from('another secret of the test').toString('base64')}`;

/** A true delivery of each sender; GitHub's and Standard Webhooks' are signed by their own libraries. */
async function delivery(sender: Sender, at = now): Promise<Record<string, string>> {
  if (sender === 'github') return { 'x-hub-signature-256': await sign(secret, body.toString()) };
  if (sender === 'gitlab') return { 'x-gitlab-token': secret };
  if (sender === 'stripe') {
    const time = Math.floor(at / 1000);
    const mac = (key: string) => createHmac('sha256', key).update(`${time}.`).update(body).digest('hex');
    // As while a secret is rolled: one signature for each.
    return { 'stripe-signature': `v0=${mac('test')},t=${time},v1=${mac('the old secret')},v1=${mac(secret)}` };
  }
  return {
    'webhook-id': 'msg_1',
    'webhook-timestamp': String(Math.floor(at / 1000)),
    'webhook-signature': `v1,${Buffer.alloc(32).toString('base64')} ${new Webhook(whsec).sign('msg_1', new Date(at), body.toString())}`,
  };
}

const secretOf = (sender: Sender) => (sender === 'standard' ? whsec : secret);
const accepted = (sender: Sender, headers: Record<string, string>, over: { body?: Buffer; secret?: string } = {}) =>
  isFrom(sender, over.secret ?? secretOf(sender), (name) => headers[name], over.body ?? body, now);

describe.each(['github', 'gitlab', 'stripe', 'standard'] as const)('a delivery of %s', (sender) => {
  it('is believed if it is signed with the secret, and else not', async () => {
    const headers = await delivery(sender);
    expect(accepted(sender, headers)).toBe(true);
    expect(accepted(sender, headers, { secret: `whsec_${Buffer.from('a wrong one').toString('base64')}` })).toBe(false);
    expect(accepted(sender, {})).toBe(false);
    for (const name of Object.keys(headers))
      for (const wrong of ['', 'sha256=', 't=,v1=', 'v1,', `${headers[name]?.slice(0, -1)}`, `${headers[name]}0`])
        expect(accepted(sender, { ...headers, [name]: wrong }), `${name}: ${wrong}`).toBe(false);
  });

  it.skipIf(sender === 'gitlab')('is for its exact bytes', async () => {
    const headers = await delivery(sender);
    expect(accepted(sender, headers, { body: Buffer.from(body.toString().replace('"hello": ', '"hello":')) })).toBe(
      false,
    );
    expect(accepted(sender, headers, { body: Buffer.concat([body, Buffer.from(' ')]) })).toBe(false);
  });

  it.runIf(sender === 'stripe' || sender === 'standard')('is of now', async () => {
    for (const away of [-301_000, 301_000]) expect(accepted(sender, await delivery(sender, now + away))).toBe(false);
    for (const away of [-299_000, 299_000]) expect(accepted(sender, await delivery(sender, now + away))).toBe(true);
  });
});
