import { EvidenceError, fromBase64, readTimestampCertificate } from '@deed/evidence';
import type { TimestampStatus } from '@deed/ledger';
import { type Config, timestampPlan, writeConfig } from './config.ts';
import type { Deployment } from './deployment.ts';
import { ServerError } from './errors.ts';

type Configured = NonNullable<Config['timestamps']>;

/** An hour. */
const defaultEverySeconds = 3600;

export interface TimestampsView extends TimestampStatus {
  readonly url: string;
  readonly everySeconds: number;
  /** Hex SHA-256 of the authority's certificate. */
  readonly certificate: string;
}

/**
 * Names the timestamp authority of a deployment, after one stamp was had from it.
 * @param given.certificate base64 of the certificate, DER
 * @throws ServerError request (the certificate), LedgerError timestamp (no usable answer: nothing was changed)
 */
export async function setTimestamps(
  deployment: Deployment,
  given: { readonly url: string; readonly certificate: string; readonly everySeconds?: number | undefined },
): Promise<TimestampsView> {
  const { url, everySeconds = defaultEverySeconds } = given;
  const certificate = digestOf(given.certificate);
  const { size } = await deployment.timestamps.tryOut({ url, certificate });
  const before = deployment.config.timestamps;
  const known = before ? [before.certificate, ...before.former] : [];
  const former = known.filter((digest) => digest !== certificate);
  // What was waited for under the authority before is stamped by the new one.
  configure(deployment, { url, everySeconds, certificate, former, from: before?.from ?? size });
  return timestampsView(deployment) as TimestampsView;
}

/** No more stamps, and none asked for by the trust file. Those that there are stay. */
export function endTimestamps(deployment: Deployment): void {
  configure(deployment, undefined);
}

/** Null where no authority is named. */
export function timestampsView({ config, timestamps }: Deployment): TimestampsView | null {
  if (!config.timestamps) return null;
  const { url, everySeconds, certificate } = config.timestamps;
  return { url, everySeconds, certificate, ...timestamps.status() };
}

function configure(deployment: Deployment, timestamps: Configured | undefined): void {
  const { timestamps: _, ...rest } = deployment.config;
  const config: Config = timestamps ? { ...rest, timestamps } : rest;
  writeConfig(deployment.dir, config);
  deployment.config = config;
  deployment.timestamps.follow(timestampPlan(config));
}

function digestOf(certificate: string): string {
  try {
    return readTimestampCertificate(fromBase64(certificate)).sha256;
  } catch (cause) {
    if (!(cause instanceof EvidenceError)) throw cause;
    throw new ServerError('request', `not the certificate of a timestamp authority: ${cause.message}`, { cause });
  }
}
