import { chainOfHops, type Hop, lineOf } from '@deed/authority';
import { encodeEnvelope, fromBase64, fromUtf8, statementDigest, toHex } from '@deed/evidence';
import { Hono } from 'hono';
import type { Deployment } from '../deployment.ts';
import { ServerError } from '../errors.ts';
import { body } from './body.ts';
import type { PublicDoor } from './public-door.ts';
import * as shapes from './shapes.ts';

/** Passing tasks on, on the operator's socket: what agents may do, and what an operator may see and end. */
export function hopsApi(deployment: Deployment): Hono {
  const { authority } = deployment;
  const app = signedHops(deployment);
  app.get('/v1/tasks/:id/hops', (c) => {
    const hops = authority.delegation.list(c.req.param('id'));
    return c.json({ hops: hops.map((hop) => hopView(deployment, hop)) });
  });
  app.post('/v1/tasks/:id/hops/end', async (c) => {
    const { hop, word } = await body(c.req.raw, shapes.endHop);
    const recorded = authority.delegation.end(c.req.param('id'), hop, word);
    await recorded.durable;
    return c.json({ ended: recorded.digest });
  });
  return app;
}

/** What agents may do from elsewhere: each request carries the signature of the agent that it is by. */
export function publicHopsApi({ deployment }: PublicDoor): Hono {
  const app = signedHops(deployment);
  app.post('/v1/tasks/:id/hops/end', async (c) => {
    const { hop, word } = await body(c.req.raw, shapes.endHopByWord);
    const recorded = deployment.authority.delegation.end(c.req.param('id'), hop, word);
    await recorded.durable;
    return c.json({ ended: recorded.digest });
  });
  return app;
}

function signedHops(deployment: Deployment): Hono {
  const { authority, ledger } = deployment;
  const app = new Hono();
  app.post('/v1/tasks/:id/hops', async (c) => {
    const { allow, ...offer } = await body(c.req.raw, shapes.offerHop);
    const recorded = await authority.delegation.offer(c.req.param('id'), { ...offer, allow: fromBase64(allow) });
    await recorded.durable;
    return c.json({ hop: recorded.digest }, 201);
  });
  // Who knows a digest was given it: the statement is what its delegate accepts, and holds no payload.
  app.get('/v1/tasks/:id/hops/:hop', async (c) => {
    const { id, hop } = c.req.param();
    const entry = authority.delegation.list(id).some(({ digest }) => digest === hop)
      ? ledger.series(id).find(({ envelope }) => toHex(statementDigest(envelope.payload)) === hop)
      : undefined;
    if (!entry) throw new ServerError('not-found', `task ${id} has no hop ${hop}`);
    return c.json(JSON.parse(fromUtf8(encodeEnvelope(entry.envelope))));
  });
  app.post('/v1/tasks/:id/hops/accept', async (c) => {
    const { word } = await body(c.req.raw, shapes.acceptHop);
    const recorded = authority.delegation.accept(c.req.param('id'), word);
    await recorded.durable;
    return c.json({ accepted: recorded.digest }, 201);
  });
  return app;
}

function hopView({ authority }: Deployment, hop: Hop) {
  const named = (id: string) => authority.agents.get(id)?.spiffe ?? id;
  const { digest, ceiling, budget, used, deadlineMs, depth, accepted, ended } = hop;
  return {
    hop: digest,
    delegator: named(hop.delegator),
    delegate: named(hop.delegate),
    allow: hop.allow,
    ...{ ceiling, budget, used, deadline: new Date(deadlineMs).toISOString(), depth },
    accepted,
    ended,
    chain: chainOfHops(lineOf(hop)),
  };
}
