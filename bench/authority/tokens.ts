import { createHash, createPublicKey } from 'node:crypto';
import { importJWK, type JWK, jwtVerify } from 'jose';
import { readProof } from '../../packages/authority/src/tokens/proof.ts';
import { readTaskToken } from '../../packages/authority/src/tokens/task-token.ts';
import { Worker, World } from '../../packages/authority/test/world.ts';
import { cpuMicros, quantile } from './measure.ts';

const rounds = 9;
const messages = 400;

/**
 * Token, proof and body of one message, verified by us and with jose per call (import of both keys, jwtVerify twice, digests of
 * token and body). Each message has a proof of its own; all have one token, as in a task. `admit` is all that letting a message in takes:
 * agent, task, epoch and the single use of its proof too.
 */
export async function tokens(): Promise<readonly (readonly string[])[]> {
  const world = await World.begin();
  const worker = await Worker.begin(world);
  const spki = world.authority.tokens.key;
  const { origin } = world.init;
  const nowMs = world.clock.now();
  const jwks: readonly JWK[] = [
    createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' }).export({ format: 'jwk' }) as JWK,
    createPublicKey(worker.key).export({ format: 'jwk' }) as JWK,
  ];
  const made = await Promise.all(
    Array.from({ length: rounds }, () =>
      Promise.all(
        Array.from({ length: messages }, (_, i) => worker.message('write_file', `{"path":"/srv/work/${i}"}`)),
      ),
    ),
  );
  type Sent = Awaited<ReturnType<Worker['message']>>;

  const importKeys = () => Promise.all(jwks.map((jwk) => importJWK(jwk, 'ES256')));
  const kept = await importKeys();
  const withJose = async ({ token, proof, body }: Sent, [issuerKey, agentKey]: typeof kept) => {
    if (!issuerKey || !agentKey) throw new Error('no keys');
    const currentDate = new Date(nowMs);
    const options = { issuer: origin, audience: origin, currentDate };
    await jwtVerify(token, issuerKey, { ...options, typ: 'deed-task+jwt', algorithms: ['ES256'] });
    const verified = await jwtVerify(proof, agentKey, {
      audience: origin,
      currentDate,
      typ: 'wpt+jwt',
      algorithms: ['ES256'],
    });
    const hash = (bytes: string | Uint8Array) => createHash('sha256').update(bytes).digest('base64url');
    if (verified.payload.ath !== hash(token) || verified.payload.deed_bdh !== hash(body))
      throw new Error('not for this');
  };
  const ours = ({ token, proof, body }: Sent) => {
    readTaskToken(token, { origin, key: spki, nowMs });
    readProof(proof, { origin, key: worker.agent.spki, token, body, nowMs });
  };

  const times = { ours: [] as number[], jose: [] as number[], kept: [] as number[], admit: [] as number[] };
  for (const round of made) {
    const of = (call: (sent: Sent) => unknown) => cpuMicros(messages, (i) => call(round[i] as Sent));
    times.jose.push(await of(async (sent) => withJose(sent, await importKeys())));
    times.kept.push(await of((sent) => withJose(sent, kept)));
    times.ours.push(await of(ours));
    times.admit.push(await of((sent) => world.authority.actions.admit(sent)));
  }
  await world.end();
  const ratios = (which: readonly number[]) => times.jose.map((jose, i) => jose / (which[i] ?? Number.NaN));
  const row = (name: string, which: readonly number[]) => [
    ...[name, quantile(which, 0.5).toFixed(0)],
    ...[quantile(ratios(which), 0.5).toFixed(1), Math.min(...ratios(which)).toFixed(1)],
  ];
  return [
    ['token, proof and body of one message', 'CPU us', 'times as quick as jose', 'worst round'],
    row('with jose per call', times.jose),
    row('with jose, keys imported once', times.kept),
    row('ours', times.ours),
    row('admit: with task, agent and single use', times.admit),
  ];
}
