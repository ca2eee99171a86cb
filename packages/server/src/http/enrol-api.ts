import type { Agent, IssuedWit, WorkloadRequest } from '@deed/authority';
import { fromBase64 } from '@deed/evidence';
import { type Context, Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { z } from 'zod';
import { body } from './body.ts';
import { problem } from './problem.ts';
import type { PublicDoor } from './public-door.ts';

const maxBytes = 64 * 1024;

const enrol = z.strictObject({
  token: z.string().min(1).max(16_384),
  /** Base64 of the fresh key's SPKI, and of its signature over the challenge (docs/formats/identities.md). */
  spki: z.string().min(1).max(1024),
  proof: z.string().min(1).max(1024),
  /** The exact text of the definition, or its digest, or none. */
  definition: z
    .union([
      z.strictObject({ text: z.string().min(1).max(32_768) }),
      z.strictObject({ sha256: z.string().regex(/^[0-9a-f]{64}$/) }),
    ])
    .nullable(),
});

/** How workloads enrol and are known: open to the network, and each answer is for who proves what it claims. */
export function enrolApi(door: PublicDoor): Hono {
  const { workloads, origin } = door.deployment.authority;
  const app = new Hono();
  app.use('/v1/enrol', bodyLimit({ maxSize: maxBytes, onError: tooLarge }));
  app.use('/v1/wit', bodyLimit({ maxSize: maxBytes, onError: tooLarge }));

  app.get('/v1/enrol', (c) => c.json({ origin, audiences: audiencesOf(door) }));
  app.post('/v1/enrol', async (c) => {
    const { token, spki, proof, definition } = await body(c.req.raw, enrol);
    const asked = { token, spki: fromBase64(spki), proof: fromBase64(proof), definition };
    const { agent, ...issued } = await workloads.enrol(asked, audiencesOf(door));
    return c.json({ origin, ...identityView(agent), ...witView(issued) }, 201);
  });
  app.post('/v1/wit', async (c) => {
    const { agent, ...issued } = await workloads.renew(await workloadRequest(c, door));
    return c.json({ ...identityView(agent), ...witView(issued) }, 201);
  });
  app.get('/v1/whoami', async (c) => {
    const { agent, witExpires } = workloads.verify(await workloadRequest(c, door));
    return c.json({ ...identityView(agent), expires: new Date(witExpires * 1000).toISOString() });
  });
  return app;
}

/** A request whose caller proves itself by a workload identity token and a proof for this very address. */
export async function workloadRequest(c: Context, door: PublicDoor): Promise<WorkloadRequest> {
  const bytes = new Uint8Array(await c.req.raw.clone().arrayBuffer());
  return { header: (name) => c.req.header(name), audiences: [`${door.url()}${c.req.path}`], body: bytes };
}

/** What this deployment is called in the tokens of other issuers: its URL, its origin, or that as an application id of Azure. */
function audiencesOf({ deployment, url }: PublicDoor): readonly string[] {
  const { origin } = deployment.authority;
  return [url(), origin, `api://${origin}`];
}

function identityView({ id, kind, name, spiffe, definition }: Agent) {
  return { agent: id, kind, name, spiffe, definition };
}

function witView({ wit, expiresMs }: IssuedWit) {
  return { wit, expires: new Date(expiresMs).toISOString() };
}

function tooLarge(): Response {
  return problem(413, 'request', `a request here has at most ${maxBytes} bytes`);
}
