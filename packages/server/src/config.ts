import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { defaultRetention, type RetentionRules } from '@deed/authority';
import { parseStrictJson, utf8 } from '@deed/evidence';
import { replace } from '@deed/store';
import { z } from 'zod';
import { ServerError } from './errors.ts';

const file = 'config.json';

const forge = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9._-]{0,62}$/),
  /** Where repositories are: `<url>/<name>.git`. */
  url: z.url(),
  adminUrl: z.url(),
  /** File with the bearer token of the forge's administration, mode 0600. */
  adminTokenFile: z.string().startsWith('/'),
});
export type ForgeConfig = z.infer<typeof forge>;

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

const schema = z.strictObject({
  v: z.literal(1),
  origin: z.string().min(1),
  /** The witness run by this operator: its state folder, outside the data folder. */
  witness: z.strictObject({ name: z.literal('local'), state: z.string().startsWith('/'), vkey: z.string() }),
  forges: z.array(forge),
  timestamps: timestamps.optional(),
  /** Per tier; what is absent is as `defaultRetention` says. A task is kept as long as the highest tier among its actions. */
  retention: z.strictObject({ observe: days, record: days, attest: days, approve: days }).partial().optional(),
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

export function writeConfig(dataFolder: string, config: Config): void {
  replace(join(dataFolder, file), utf8(`${JSON.stringify(schema.parse(config), null, 2)}\n`));
}
