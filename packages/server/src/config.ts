import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { defaultRetention, type RetentionRules } from '@deed/authority';
import { DeedError, formatTrust, parseStrictJson, parseTrust, parseVkey, type Trust, utf8 } from '@deed/evidence';
import type { TimestampPlan } from '@deed/ledger';
import { replace } from '@deed/store';
import { z } from 'zod';
import { broker, forge } from './brokers.ts';
import { ServerError } from './errors.ts';
import { model } from './models.ts';

const file = 'config.json';

export const oidc = z.strictObject({
  /** Exactly as the provider says it of itself. */
  issuer: z.url({ protocol: /^https?$/ }),
  clientId: z.string().min(1).max(512),
  /** File with the client's secret, mode 0600. */
  clientSecretFile: z.string().startsWith('/'),
});
export type OidcConfig = z.infer<typeof oidc>;

const digest = z.string().regex(/^[0-9a-f]{64}$/);

const timestamps = z.strictObject({
  /** Of an RFC 3161 timestamp authority. */
  url: z.url({ protocol: /^https?$/ }),
  everySeconds: z.number().int().min(60),
  /** SHA-256 of the authority's certificate, DER. */
  certificate: digest,
  /** The same of certificates it had before: their stamps still count. */
  former: z.array(digest),
  /** Checkpoints of this size and above are stamped. */
  from: z.number().int().min(0),
});

/** Days after closing for which what is kept of a task stays; null: for ever. */
const days = z.number().int().min(1).max(36_500).nullable();

const witnessName = z.string().regex(/^[a-z][a-z0-9._-]{0,62}$/, 'a name begins with a letter: a-z, 0-9 and . _ -');

export const witness = z.strictObject({
  name: witnessName,
  vkey: z.string().min(1),
  /** Prefix of its HTTP interface. */
  url: z.url({ protocol: /^https?$/ }).regex(/^[^\s?#@]+$/, 'a URL without user, query or fragment'),
});
export type WitnessConfig = z.infer<typeof witness>;

const group = z.strictObject({
  name: witnessName,
  threshold: z.int().min(1),
  members: z.array(z.string()).min(1),
});

const schema = z
  .strictObject({
    v: z.literal(1),
    origin: z.string().min(1),
    /** The witness run by this operator: its state folder, outside the data folder. */
    witness: z.strictObject({ name: z.literal('local'), state: z.string().startsWith('/'), vkey: z.string() }),
    /** Those run by others. */
    witnesses: z.array(witness).default([]),
    /** As in a C2SP tlog-policy. */
    groups: z.array(group).default([]),
    /** A witness or a group: whose cosignatures are enough. */
    quorum: z.string().default('local'),
    /** How long committed entries gather before the next checkpoint. */
    publishIntervalMs: z.int().min(10).max(60_000).default(250),
    /** How long one request to a witness may take. */
    witnessTimeoutMs: z.int().min(100).max(30_000).default(1000),
    /** How often the newest checkpoint of an idle log is cosigned again. */
    recosignMinutes: z.int().min(1).max(1440).default(10),
    /** Whether an attest action waits for the witnesses (`closed`) or goes on and is anchored later (`open`). */
    attest: z.enum(['open', 'closed']).default('open'),
    /** Where others reach what `deed up --listen` serves, without a slash at the end. Default: the address that it listens on. */
    publicUrl: z
      .url({ protocol: /^https?$/ })
      .regex(/^[^\s?#@]+[^/]$/, 'a URL without user, query, fragment or slash at the end')
      .optional(),
    forges: z.array(forge),
    /** Where people sign in, beside their passkeys. */
    oidc: oidc.optional(),
    /** Whose credentials tools are given. */
    brokers: z.array(broker).default([]),
    /** The providers of models that agents reach through here. */
    models: z.array(model).default([]),
    timestamps: timestamps.optional(),
    /** Per tier; what is absent is as `defaultRetention` says. A task is kept as long as the highest tier among its actions. */
    retention: z.strictObject({ observe: days, record: days, attest: days, approve: days }).partial().optional(),
  })
  .superRefine((config, context) => {
    try {
      trustOf(config);
    } catch (error) {
      if (!(error instanceof DeedError)) throw error;
      context.addIssue({ code: 'custom', message: error.message });
    }
  });
/** What the operator decided about a deployment, and what cannot be derived. No secrets. */
export type Config = z.infer<typeof schema>;

/** @throws ServerError folder, config */
export function readConfig(dataFolder: string): Config {
  let bytes: Buffer;
  try {
    bytes = readFileSync(join(dataFolder, file));
  } catch (cause) {
    throw new ServerError(
      'folder',
      `${dataFolder} is not a data folder of Deed; make one with: deed init --data ${dataFolder}`,
      { cause },
    );
  }
  try {
    return schema.parse(parseStrictJson(bytes).value);
  } catch (cause) {
    throw new ServerError('config', `${join(dataFolder, file)} cannot be read: ${(cause as Error).message}`, { cause });
  }
}

/** How long what is kept of a task stays, with the defaults filled in. */
export function retentionOf({ retention = {} }: Config): RetentionRules {
  const given = Object.entries(retention).filter(([, value]) => value !== undefined);
  return { ...defaultRetention, ...Object.fromEntries(given) };
}

/** @returns what was written, with every setting @throws ServerError config (it does not fit together) */
export function writeConfig(dataFolder: string, config: z.input<typeof schema>): Config {
  const checked = schema.safeParse(config);
  if (!checked.success) throw new ServerError('config', z.prettifyError(checked.error));
  replace(join(dataFolder, file), utf8(`${JSON.stringify(checked.data, null, 2)}\n`));
  return checked.data;
}

/**
 * The part of the trust file that the configuration decides: witnesses, groups and quorum, checked as every reader will.
 * @throws EvidenceError key, trust
 */
export function trustOf({
  witness: local,
  witnesses,
  groups,
  quorum,
}: Omit<Config, 'forges' | 'brokers' | 'models'>): Trust {
  if (quorum === 'none') throw new ServerError('config', 'the quorum cannot be none: no approve action could ever run');
  const named = [{ name: local.name, vkey: local.vkey }, ...witnesses];
  const text = formatTrust({
    logs: [],
    witnesses: named.map(({ vkey, ...rest }) => ({ ...rest, key: parseVkey(vkey) })),
    groups,
    quorum,
    tsas: [],
    compromised: [],
  });
  return parseTrust(text);
}

/** What the configuration says to whoever opens the ledger. `localUrl`: where the local witness is now. */
export function ledgerSettings(config: Config, localUrl: () => string | undefined) {
  const { witness: local, witnesses, publishIntervalMs, witnessTimeoutMs, recosignMinutes } = config;
  return {
    witnesses: [{ name: local.name, vkey: local.vkey, url: localUrl }, ...witnesses],
    quorum: trustOf(config),
    publishIntervalMs,
    witnessTimeoutMs,
    recosignMs: recosignMinutes * 60_000,
  };
}

/** What the ledger is to have stamped, if anything. */
export function timestampPlan({ timestamps }: Config): TimestampPlan | null {
  if (!timestamps) return null;
  const { former: _, ...plan } = timestamps;
  return plan;
}

/** What `tsa` lines the trust file has: the authority's certificate, and those it had before. */
export function trustedTsas({ timestamps }: Config): readonly string[] {
  return timestamps ? [timestamps.certificate, ...timestamps.former] : [];
}
