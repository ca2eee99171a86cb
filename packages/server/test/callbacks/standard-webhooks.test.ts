import { expect, test } from 'vitest';
import { newWebhookSecret, webhookHeaders, webhookSecret } from '../../src/callbacks/standard-webhooks.ts';

test('a message is signed as the libraries of Standard Webhooks sign it', () => {
  // Known answer: the example of its documentation.
  const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
  expect(webhookHeaders(secret, 'msg_p5jXN8AQM9LWM0D4loKWxJek', '{"test": 2432232314}', 1_614_265_330_000)).toEqual({
    'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    'webhook-timestamp': '1614265330',
    'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  });
});

test('a secret is whsec_ and the base64 of 24 to 64 bytes, and nothing else', () => {
  const of = (bytes: number) => `whsec_${Buffer.alloc(bytes, 7).toString('base64')}`;
  for (const good of [newWebhookSecret(), of(24), of(64)]) expect(webhookSecret.safeParse(good).success).toBe(true);
  for (const bad of ['', 'whsec_', of(23), of(65), of(24).slice(6), `${of(32)}=`, ` ${of(24)}`, 'whsec_%%%'])
    expect(webhookSecret.safeParse(bad).success).toBe(false);
});
