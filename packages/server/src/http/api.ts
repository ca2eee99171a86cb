import type { Agent, Hold } from '@deed/authority';
import { fromBase64, fromUtf8, openPayload, toBase64, utf8 } from '@deed/evidence';
import type { ToolCredential } from '@deed/gateway';
import { addSource, checkSource, listSources } from '@deed/reconcile';
import { Hono } from 'hono';
import { type ForgeConfig, forgeBrokerOf } from '../brokers.ts';
import { exportCase } from '../case-export.ts';
import { writeConfig } from '../config.ts';
import { stateConfiguration } from '../configuration.ts';
import type { Deployment } from '../deployment.ts';
import { ServerError } from '../errors.ts';
import { receiptOf } from '../proofs.ts';
import type { Health } from '../scrub.ts';
import { endTimestamps, setTimestamps, timestampsView } from '../timestamps.ts';
import { withChange, witnessChange, witnessView } from '../witness-config.ts';
import { stateActs } from './administration.ts';
import { body } from './body.ts';
import { brokersApi } from './brokers-api.ts';
import { callbacksApi } from './callbacks-api.ts';
import { hooksApi } from './hooks-api.ts';
import { hopsApi } from './hops-api.ts';
import { logApi } from './log-api.ts';
import { modelsApi } from './models-api.ts';
import { taskFields } from './my-tasks-api.ts';
import { nextChange } from './next-change.ts';
import { peopleAdminApi } from './people-admin-api.ts';
import { policyApi } from './policy-api.ts';
import { withProblems } from './problem.ts';
import { retentionApi } from './retention-api.ts';
import * as shapes from './shapes.ts';
import { wrapsApi } from './wraps-api.ts';

/** How long an export waits for the witness, in milliseconds. */
const witnessMs = 20_000;
const longestWaitSeconds = 25;

/** Where a POST changes what an operator has set. */
const configures: ReadonlySet<string> = new Set([
  '/v1/witnesses',
  '/v1/timestamps',
  '/v1/timestamps/off',
  '/v1/tools',
  '/v1/mcp-keys',
  '/v1/models',
  '/v1/sources',
  '/v1/people/oidc',
  '/v1/brokers',
  '/v1/secrets',
  '/v1/wraps',
  '/v1/wraps/remove',
]);
const removes = /^\/v1\/(brokers|secrets|tools|mcp-keys|models)\/[^/]+\/(remove|renew)$/;

/** The administration of a deployment, on its unix socket: who can open the socket is an operator. */
export function adminApi(
  deployment: Deployment,
  version: string,
  health: () => Health | null = () => null,
  url: () => string | null = () => deployment.config.publicUrl ?? null,
): Hono {
  const { authority, ledger, tools, endpointKeys, pins, reconcile, dir } = deployment;
  const db = ledger.database;
  const app = new Hono();

  app.use(stateActs(dir, ledger));
  app.use(async (c, next) => {
    await next();
    const changes = configures.has(c.req.path) || removes.test(c.req.path);
    if (c.req.method === 'POST' && c.res.ok && changes) await stateConfiguration(dir, ledger);
  });

  app.get('/v1/status', (c) =>
    c.json({
      version,
      dir,
      origin: ledger.origin,
      size: ledger.size,
      ready: ledger.isReady,
      openTasks: authority.tasks.openTasks().length,
      waiting: authority.approvals.list().length,
      publishedSize: ledger.latestPublished()?.size ?? 0,
      witnessedSize: ledger.latestWitnessed()?.size ?? 0,
      witnesses: ledger.witnessHealth(),
      timestamps: timestampsView(deployment),
      health: health(),
    }),
  );
  app.get('/v1/witnesses', (c) => c.json(witnessView(deployment)));
  app.post('/v1/witnesses', async (c) => {
    deployment.config = writeConfig(dir, withChange(deployment.config, await body(c.req.raw, witnessChange)));
    return c.json(witnessView(deployment));
  });
  app.get('/v1/timestamps', (c) => c.json({ timestamps: timestampsView(deployment) }));
  app.post('/v1/timestamps', async (c) =>
    c.json(await setTimestamps(deployment, await body(c.req.raw, shapes.setTimestamps)), 201),
  );
  app.post('/v1/timestamps/off', (c) => {
    endTimestamps(deployment);
    return c.json({ timestamps: null });
  });
  app.get('/v1/trust', (c) => c.text(deployment.trustFile()));

  app.get('/v1/tools', (c) => c.json({ tools: tools.list(), pins: pins.list() }));
  app.post('/v1/tools', async (c) => {
    const fields = await body(c.req.raw, shapes.addTool);
    const credentials = fields.credentials ?? [];
    for (const credential of credentials) requireBroker(deployment, credential);
    const { name, kind, argv = [], env = {}, cwd = null, url = null, headers = {}, operations = [] } = fields;
    return c.json(tools.add({ name, kind, argv, env, cwd, credentials, url, headers, operations }), 201);
  });
  app.get('/v1/mcp-keys', (c) => c.json({ keys: endpointKeys.list() }));
  app.post('/v1/mcp-keys', async (c) => {
    const { server } = await body(c.req.raw, shapes.mcpKey);
    const tool = tools.named(server);
    if (tool.url === null) throw new ServerError('request', `${server} has no address: put it behind deed mcp run`);
    if (tool.operations.length > 0)
      throw new ServerError('request', `${server} is no MCP server: agents have it called with POST /v1/execute`);
    const base = url();
    const address = base && `${base}/mcp/${server}`; // null: nothing is served to the network
    return c.json({ ...endpointKeys.make(server, new Date()), url: address }, 201);
  });
  app.post('/v1/mcp-keys/:id/remove', async (c) => {
    await body(c.req.raw, shapes.none);
    const id = c.req.param('id');
    if (!endpointKeys.remove(id)) throw new ServerError('not-found', `there is no key ${id}`);
    return c.json({ removed: id });
  });
  app.post('/v1/tools/:name/renew', async (c) => {
    await body(c.req.raw, shapes.none);
    return c.json(tools.renew(c.req.param('name')));
  });
  app.post('/v1/tools/:name/remove', async (c) => {
    await body(c.req.raw, shapes.none);
    const name = c.req.param('name');
    if (!tools.remove(name)) throw new ServerError('not-found', `no tool server ${name} is registered`);
    return c.json({ removed: name });
  });
  app.post('/v1/tools/accept', async (c) => {
    const { server, tool } = await body(c.req.raw, shapes.acceptTool);
    const registered = tools.list().find(({ name }) => name === server);
    if (!registered) throw new ServerError('not-found', `no tool server ${server} is registered`);
    return c.json({ definition: pins.accept(registered, tool) });
  });

  app.get('/v1/agents', (c) => c.json({ agents: authority.agents.list().map(agentView) }));
  app.post('/v1/agents/invite', async (c) => {
    const { name, definition = null, owner = null } = await body(c.req.raw, shapes.invite);
    if (owner !== null && !authority.people.get(owner))
      throw new ServerError('not-found', `there is no person ${owner}`);
    return c.json({ ...authority.agents.invite(name, { definition, owner }), origin: ledger.origin }, 201);
  });
  app.post('/v1/agents/redeem', async (c) => {
    const { code, spki, proof } = await body(c.req.raw, shapes.redeem);
    const agent = await authority.agents.redeem(code, fromBase64(spki), fromBase64(proof));
    return c.json({ ...agentView(agent), wit: (await authority.workloads.wits.issue(agent.id)).wit }, 201);
  });
  app.post('/v1/agents/:id/revoke', async (c) => {
    const { reason } = await body(c.req.raw, shapes.reason);
    return c.json(await authority.revokeAgent(c.req.param('id'), reason));
  });

  app.get('/v1/tasks', (c) => c.json({ tasks: authority.tasks.list().map((task) => taskView(deployment, task.id)) }));
  app.post('/v1/tasks', async (c) => {
    const { principal, ...fields } = await body(c.req.raw, shapes.openTask);
    const task = await authority.tasks.open({ ...taskFields(fields), principal: { ...principal, how: 'socket' } });
    return c.json(taskView(deployment, task.id), 201);
  });
  app.get('/v1/tasks/:id', (c) => c.json(taskView(deployment, c.req.param('id'))));
  app.post('/v1/tasks/:id/close', async (c) => {
    const { reason, outputs } = await body(c.req.raw, shapes.closeTask);
    const closed = await authority.tasks.close(c.req.param('id'), reason, outputs ?? []);
    await authority.credentials.settled(c.req.param('id'));
    return c.json({ closed });
  });
  app.post('/v1/tasks/:id/token', async (c) => {
    const { assertion } = await body(c.req.raw, shapes.token);
    return c.json(await authority.tokens.issue(c.req.param('id'), assertion), 201);
  });
  app.post('/v1/reconcile', async (c) => c.json(await reconcile.sweep()));
  app.post('/v1/tasks/:id/reconcile', async (c) => c.json(await reconcile.run(c.req.param('id'))));
  app.post('/v1/tasks/:id/case', async (c) => {
    const options = {
      db,
      ledger,
      authority,
      trustFile: deployment.trustFile(),
      writer: `deed ${version}`,
      now: Date.now,
      witnessMs,
      stamping: { timestamps: deployment.timestamps, waitMs: deployment.limits.stampMs },
    };
    const file = await exportCase(options, c.req.param('id'));
    return c.body(new Uint8Array(file), 200, { 'content-type': 'application/vnd.deed.case+zip' });
  });
  app.get('/v1/tasks/:id/receipt', async (c) => {
    const file = await receiptOf(ledger, c.req.param('id'), witnessMs);
    return c.body(new Uint8Array(file), 200, { 'content-type': 'application/vnd.deed.receipt+json' });
  });
  app.get('/v1/findings', (c) => c.json({ findings: reconcile.findings.list(c.req.query('task')) }));

  app.get('/v1/approvals', async (c) => {
    const seconds = Math.min(Number(c.req.query('wait') ?? 0) || 0, longestWaitSeconds);
    if (authority.approvals.list().length === 0 && seconds > 0) await nextChange(authority.approvals, seconds);
    return c.json({ approvals: authority.approvals.list().map(({ settled: _, ...hold }) => holdView(hold)) });
  });
  app.get('/v1/approvals/:id', (c) => {
    const { recordObject, renderingObject, ...view } = authority.approvals.view(c.req.param('id'));
    return c.json({ ...view, recordObject: toBase64(recordObject), renderingObject: toBase64(renderingObject) });
  });
  app.post('/v1/approvals/:id', async (c) => {
    const { person, word, edited } = await body(c.req.raw, shapes.answer);
    const answer = await authority.approvals.answer(person, word, {
      edited: edited === undefined ? null : fromBase64(edited),
    });
    return c.json(answer.kind === 'waiting' ? answer : { kind: answer.kind });
  });
  app.get('/v1/sources', (c) => c.json({ sources: listSources(db).map(({ position: _, ...source }) => source) }));
  app.post('/v1/sources', async (c) => {
    const { forge, ...source } = await body(c.req.raw, shapes.addSource);
    await addSource(db, source);
    if (forge) addForge(deployment, forge);
    return c.json(source, 201);
  });

  app.post('/v1/findings', async (c) =>
    c.json(await reconcile.findings.say((await body(c.req.raw, shapes.hold)).word)),
  );

  app.post('/v1/sources/:id/check', async (c) => c.json({ checks: await checkSource(db, c.req.param('id')) }));

  app.get('/v1/contracts', (c) =>
    c.json({
      contracts: reconcile.contracts.list().map(({ server, statement, contract }) => ({ server, statement, contract })),
    }),
  );
  app.post('/v1/contracts', async (c) => {
    const { contract } = await body(c.req.raw, shapes.declareContract);
    const { server, statement } = await reconcile.contracts.declare(utf8(contract));
    return c.json({ server, statement }, 201);
  });

  app.get('/v1/grants', (c) => c.json({ grants: authority.grants.list() }));
  app.post('/v1/grants/waive', async (c) =>
    c.json(await authority.grants.waive((await body(c.req.raw, shapes.waive)).days), 201),
  );

  app.route('/', policyApi(deployment));
  app.route('/', logApi(ledger));
  app.route('/', retentionApi(deployment));
  app.route('/', peopleAdminApi(deployment, url));
  app.route('/', brokersApi(deployment));
  app.route('/', callbacksApi(deployment));
  app.route('/', modelsApi(deployment, url));
  app.route('/', hopsApi(deployment));
  app.route('/', hooksApi(deployment));
  app.route('/', wrapsApi(deployment));

  return withProblems(app);
}

/** @throws ServerError request */
function requireBroker({ authority, config }: Deployment, { broker, env }: ToolCredential): void {
  const found = config.brokers.some(({ name }) => name === broker) && authority.credentials.broker(broker);
  if (!found) throw new ServerError('request', `there is no broker ${broker} for tools: see deed broker list`);
  const fields = Object.values(found.env);
  const unknown = Object.values(env ?? {}).find((field) => !fields.includes(field));
  if (unknown !== undefined)
    throw new ServerError('request', `a credential of ${broker} has no part ${unknown}; it has ${fields.join(', ')}`);
}

/** From now on each task that names a repository gets a credential there. */
function addForge(deployment: Deployment, forge: ForgeConfig): void {
  const { config, dir, authority } = deployment;
  deployment.config = { ...config, forges: [...config.forges.filter(({ name }) => name !== forge.name), forge] };
  authority.credentials.addBroker(forgeBrokerOf(forge));
  writeConfig(dir, deployment.config);
}

function holdView({ id, task, heldAt, expires, quorum }: Omit<Hold, 'settled'>) {
  return { id, task, heldAt, expires, quorum };
}

function agentView({ id, kind, name, spiffe, how, definition, owner, jkt, revoked }: Agent) {
  return { id, kind, name, spiffe, how, definition, owner, jkt, revoked: revoked !== null };
}

function taskView({ authority, closeAsks }: Deployment, id: string) {
  const task = authority.tasks.get(id);
  if (!task) throw new ServerError('not-found', `there is no task ${id}`);
  const { state, agent, ceiling, budget, used, deadlineMs, depth, implicit, closed } = task;
  return {
    task: id,
    state,
    objective: objectiveOf(authority, task.objective.sha256),
    holds: authority.legalHolds.ofTask(id).map((hold) => hold.id),
    agent: agent === null ? null : (authority.agents.get(agent)?.spiffe ?? agent),
    ceiling,
    budget,
    used,
    deadline: new Date(deadlineMs).toISOString(),
    depth,
    implicit,
    closed,
    asked: state === 'open' ? closeAsks.of(id) : null,
  };
}

function objectiveOf({ vault }: Deployment['authority'], name: string): string {
  return vault.has(name) ? fromUtf8(openPayload(vault.get(name), name).bytes) : '(erased)';
}
