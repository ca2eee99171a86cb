import { readFileSync } from 'node:fs';
import {
  awsStsBroker,
  type CredentialBroker,
  gitForgeBroker,
  githubAppBroker,
  httpKeysBroker,
  postgresBroker,
  type StaticSecrets,
  staticBroker,
  systemClock,
} from '@deed/authority';
import type { ToolRegistry } from '@deed/gateway';
import { z } from 'zod';

export const brokerName = z.string().regex(/^[a-z0-9][a-z0-9._-]{0,62}$/, 'lower-case letters, digits, ".", "_", "-"');
const file = z.string().startsWith('/');
const role = z.string().min(1).max(63);
export const variable = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, 'the name of a variable of the environment');

const postgres = z.strictObject({
  kind: z.literal('postgres'),
  name: brokerName,
  /** A host, or the folder of a unix socket. */
  host: z.string().min(1).max(255),
  port: z.int().min(1).max(65_535).default(5432),
  database: role,
  /** File of mode 0600 with user and password of a role with CREATEROLE. */
  adminFile: file,
  /** Of these the task's role becomes a member. */
  roles: z.array(role).min(1).max(16),
  connections: z.int().min(1).max(100).default(4),
  /** What becomes of what a task's role made. */
  owned: z.enum(['keep', 'drop']).default('keep'),
  tls: z.boolean().default(true),
  caFile: file.optional(),
});

const staticSecret = z.strictObject({
  kind: z.literal('static'),
  name: brokerName,
  variable,
  /** When it was last set. */
  since: z.iso.datetime(),
});

/** Secrets go there: in the clear only on this machine. */
const url = z.url({ protocol: /^https?$/ }).refine((text) => {
  const { protocol, hostname } = new URL(text);
  return protocol === 'https:' || ['127.0.0.1', '[::1]', 'localhost'].includes(hostname);
}, 'https, except on this machine');

const awsSts = z
  .strictObject({
    kind: z.literal('aws-sts'),
    name: brokerName,
    region: z.string().regex(/^[a-z0-9-]{1,32}$/),
    endpoint: url.optional(),
    roleArn: z.string().regex(/^arn:[a-z-]+:iam::\d{12}:role\/[\w+=,.@/-]{1,512}$/),
    /** One of the two: an access key, or an OIDC token of the server; files of mode 0600. */
    keyFile: file.optional(),
    tokenFile: file.optional(),
    policyFile: file.optional(),
    maxSeconds: z.int().min(900).max(43_200).default(3600),
  })
  .refine(({ keyFile, tokenFile }) => (keyFile === undefined) !== (tokenFile === undefined), {
    message: 'a key file or a token file, one of them',
  });

const githubApp = z.strictObject({
  kind: z.literal('github-app'),
  name: brokerName,
  apiUrl: url.optional(),
  clientId: z.string().min(1).max(100),
  installation: z.int().min(1),
  /** The app's private key, PEM, mode 0600. */
  keyFile: file,
  permissions: z.record(z.string().regex(/^[a-z_]{1,64}$/), z.enum(['read', 'write', 'admin'])),
});

const httpKeys = z.strictObject({
  kind: z.literal('http-keys'),
  name: brokerName,
  adminUrl: url,
  /** File of mode 0600 with the bearer token of the service's administration. */
  adminTokenFile: file,
  probeUrl: url.optional(),
});

/** Brokers whose credentials tools are given, as config.json names them. No secrets. */
export const broker = z.discriminatedUnion('kind', [postgres, staticSecret, awsSts, githubApp, httpKeys]);
export type BrokerConfig = z.infer<typeof broker>;

/** What the brokers of a deployment stand on. */
export interface BrokerGround {
  readonly origin: string;
  readonly secrets: StaticSecrets;
  readonly tools: ToolRegistry;
}

export function toolBrokerOf(config: BrokerConfig, { origin, secrets, tools }: BrokerGround): CredentialBroker {
  const servers = () => tools.withCredential(config.name);
  if (config.kind === 'static') return staticBroker({ ...config, secrets, servers });
  const now = () => systemClock.now();
  if (config.kind === 'aws-sts') return awsStsBroker({ ...config, servers, now });
  if (config.kind === 'github-app') return githubAppBroker({ ...config, servers, now });
  if (config.kind === 'http-keys') return httpKeysBroker({ ...config, servers });
  return postgresBroker({ ...config, origin, servers });
}

/** The broker of a configured forge. */
/** A git forge whose relay has a credential for each task. */
export const forge = z.strictObject({
  name: brokerName,
  /** Where repositories are: `<url>/<name>.git`. */
  url: z.url(),
  adminUrl: z.url(),
  /** File with the bearer token of the forge's administration, mode 0600. */
  adminTokenFile: z.string().startsWith('/'),
});
export type ForgeConfig = z.infer<typeof forge>;

export function forgeBrokerOf({ name, url, adminUrl, adminTokenFile }: ForgeConfig): CredentialBroker {
  return gitForgeBroker({ name, url, adminUrl, adminToken: readFileSync(adminTokenFile, 'utf8').trim() });
}
