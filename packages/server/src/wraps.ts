import { fromUtf8, parseStrictJson, sha256Hex, utf8 } from '@deed/evidence';
import type { Tool } from '@deed/gateway';
import { z } from 'zod';
import { putSecret, removeSecret } from './broker-config.ts';
import { brokerName, variable } from './brokers.ts';
import type { Deployment } from './deployment.ts';
import { ServerError } from './errors.ts';

const text = z.string().min(1).max(4096);
const place = z.array(text).min(1).max(8);
const base64 = z.base64().max(24 * 1024 * 1024);

/** What in the file is not behind Deed, or stands there in the clear still. */
const remark = z.strictObject({ at: place, what: text });

const server = z.strictObject({
  /** Where its entry stands in the file. */
  at: place,
  /** The name it should be registered by, if that is free. */
  name: z.string().regex(/^[a-z0-9][a-z0-9._-]{0,39}$/),
  /** Empty for one that is reached by its address. */
  argv: z.array(z.string().max(4096)).max(256),
  env: z.record(variable, z.string()),
  cwd: text.nullable(),
  url: text.nullable().default(null),
  headers: z.record(z.string(), z.string()).default({}),
  secrets: z.array(z.strictObject({ variable, value: z.string().min(1) })).max(64),
});
export type WrapServer = z.input<typeof server>;
type Asked = z.infer<typeof server>;

/** A configuration file of a client, whose servers are to run behind Deed. */
export const wrapRequest = z.strictObject({
  path: z.string().startsWith('/').max(4096),
  /** Its bytes. */
  original: base64,
  servers: z.array(server).min(1).max(256),
  /** The client's sessions name no task. */
  implicit: z.boolean(),
  left: z.array(remark).max(1000),
  plain: z.array(remark).max(1000),
});

const wrapped = z.strictObject({
  at: place,
  tool: z.string(),
  /** It was registered by a wrap, and not by hand. */
  made: z.boolean(),
  secrets: z.array(z.strictObject({ variable, secret: brokerName })),
});
export type Wrapped = z.infer<typeof wrapped>;

const wrap = z.strictObject({
  v: z.literal(1),
  since: z.iso.datetime(),
  original: base64,
  /** SHA-256 of what was written in its place; null until that is known. */
  written: sha256Hex.nullable(),
  servers: z.array(wrapped),
  left: z.array(remark),
  plain: z.array(remark),
});
export type Wrap = z.infer<typeof wrap>;

/** @throws AuthorityError vault */
export function wrapOf({ sealedFiles }: Deployment, path: string): Wrap | undefined {
  const bytes = sealedFiles.get(path);
  return bytes && wrap.parse(parseStrictJson(fromUtf8(bytes)).value);
}

/**
 * Seals what the file holds, and registers its servers with their secrets as static ones. A server that is registered already with
 * the same command, environment and secrets is used as it is.
 * @throws ServerError request; GatewayError tool; AuthorityError broker, vault. Then nothing of it is left.
 */
export function prepareWrap(deployment: Deployment, request: z.infer<typeof wrapRequest>): readonly Wrapped[] {
  const { path, original, left, plain, implicit } = request;
  const before = wrapOf(deployment, path)?.servers ?? [];
  const planned = plan(deployment, request.servers, implicit);
  const servers = planned.map(({ asked, known, ...rest }) => ({
    ...rest,
    at: asked.at,
    made: isMade(deployment, known),
  }));
  const record: Wrap = { v: 1, since: new Date().toISOString(), original, written: null, servers, left, plain };
  // First the file, so that nothing can be lost; a crash after this leaves registrations that the next wrap or unwrap finds here.
  const forgotten = before.filter(({ tool }) => !servers.some((one) => one.tool === tool));
  save(deployment, path, { ...record, servers: [...servers, ...forgotten] });
  try {
    for (const { asked, known, tool, secrets } of planned)
      if (!known) register(deployment, asked, tool, secrets, implicit);
  } catch (error) {
    removeWrap(deployment, path);
    throw error;
  }
  return servers;
}

/** Remembers what was written in the place of the original. @throws ServerError not-found */
export function wrapWritten(deployment: Deployment, path: string, sha256: string): void {
  save(deployment, path, { ...required(deployment, path), written: sha256 });
}

/** What could not be removed, and why. */
export interface Kept {
  readonly name: string;
  readonly why: string;
}

/** Forgets a file that is as it was, with the registrations and secrets that only its wrap made. @throws ServerError not-found */
export function removeWrap(deployment: Deployment, path: string): readonly Kept[] {
  const { servers } = required(deployment, path);
  deployment.sealedFiles.remove(path);
  const used = new Set(allWraps(deployment).flatMap(({ wrap: other }) => other.servers.map(({ tool }) => tool)));
  const gone = servers.filter(({ tool, made }) => made && !used.has(tool));
  return gone.flatMap(({ tool, secrets }) => {
    deployment.tools.remove(tool);
    return secrets.flatMap(({ secret }) => removed(deployment, secret));
  });
}

export function allWraps(deployment: Deployment): readonly { readonly path: string; readonly wrap: Wrap }[] {
  return deployment.sealedFiles.paths().flatMap((path) => {
    const found = wrapOf(deployment, path);
    return found ? [{ path, wrap: found }] : [];
  });
}

export function required(deployment: Deployment, path: string): Wrap {
  const found = wrapOf(deployment, path);
  if (!found) throw new ServerError('not-found', `${path} is not wrapped: see deed mcp list`);
  return found;
}

interface Planned {
  readonly asked: Asked;
  /** Registered already, with the same in everything. */
  readonly known: Tool | undefined;
  readonly tool: string;
  readonly secrets: Wrapped['secrets'];
}

function plan(deployment: Deployment, servers: readonly Asked[], implicit: boolean): readonly Planned[] {
  const { config, tools } = deployment;
  const registered = tools.list();
  const toolNames = new Set(registered.map(({ name }) => name));
  const brokerNames = new Set([...config.forges, ...config.brokers].map(({ name }) => name));
  return servers.map((asked) => {
    const known = registered.find((tool) => isSame(deployment, tool, asked, implicit));
    if (known) return { asked, known, tool: known.name, secrets: secretsOf(deployment, known) };
    const tool = free(asked.name, toolNames);
    const secrets = asked.secrets.map(({ variable: name }) => {
      const wanted = `${tool}.${name.toLowerCase().replaceAll('_', '-')}`.slice(0, 55);
      return { variable: name, secret: free(wanted, brokerNames) };
    });
    return { asked, known, tool, secrets };
  });
}

function free(wanted: string, taken: Set<string>): string {
  let name = wanted;
  for (let n = 2; taken.has(name); n++) name = `${wanted}-${n}`;
  taken.add(name);
  return name;
}

/** Where a program is looked for is not what makes a server another one. */
function withoutPath({ PATH: _, ...env }: Readonly<Record<string, string>>): string {
  return JSON.stringify(Object.entries(env).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function isSame(deployment: Deployment, tool: Tool, asked: Asked, implicit: boolean): boolean {
  if (JSON.stringify(tool.argv) !== JSON.stringify(asked.argv) || tool.cwd !== asked.cwd || tool.kind !== 'plain')
    return false;
  if (tool.url !== asked.url || JSON.stringify(tool.headers) !== JSON.stringify(asked.headers)) return false;
  const held = secretsOf(deployment, tool);
  return (
    withoutPath(tool.env) === withoutPath(asked.env) &&
    held.length === tool.credentials.length &&
    tool.credentials.every((one) => (one.implicit ?? false) === implicit) &&
    held.length === asked.secrets.length &&
    asked.secrets.every(({ variable: name, value }) =>
      held.some((one) => one.variable === name && deployment.brokerGround.secrets.get(one.secret) === value),
    )
  );
}

/** The static secrets that a tool is handed as their brokers say. */
function secretsOf({ config }: Deployment, tool: Tool): Wrapped['secrets'] {
  return tool.credentials.flatMap(({ broker, env }) => {
    const found = config.brokers.find(({ name }) => name === broker);
    return found?.kind === 'static' && !env ? [{ variable: found.variable, secret: broker }] : [];
  });
}

function isMade(deployment: Deployment, known: Tool | undefined): boolean {
  if (!known) return true;
  return allWraps(deployment).some(({ wrap: other }) =>
    other.servers.some(({ tool, made }) => tool === known.name && made),
  );
}

function register(
  deployment: Deployment,
  asked: Asked,
  name: string,
  secrets: Wrapped['secrets'],
  implicit: boolean,
): void {
  const { argv, env, cwd, url, headers } = asked;
  for (const [i, { variable: holder, secret }] of secrets.entries())
    putSecret(deployment, { name: secret, variable: holder, value: asked.secrets[i]?.value ?? '' });
  const credentials = secrets.map(({ secret }) => ({ broker: secret, ...(implicit ? { implicit } : {}) }));
  deployment.tools.add({ name, kind: 'plain', argv, env, cwd, credentials, url, headers });
}

function removed(deployment: Deployment, secret: string): Kept[] {
  try {
    removeSecret(deployment, secret);
    return [];
  } catch (error) {
    if (!(error instanceof ServerError)) throw error;
    return error.code === 'not-found' ? [] : [{ name: secret, why: error.message }];
  }
}

function save({ sealedFiles }: Deployment, path: string, record: Wrap): void {
  sealedFiles.put(path, utf8(JSON.stringify(record)));
}
