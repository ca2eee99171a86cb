import { accessSync, constants } from 'node:fs';
import { utf8 } from '@deed/evidence';
import { z } from 'zod';
import type { Connector, Gap, Reading, SourceCheck, SourceRecord } from '../connector.ts';
import { compiledOf, eventOf } from '../mapped/mapped-connector.ts';
import { endOf, lagSeconds, looked } from '../reading.ts';
import { type DeliveryPlace, readDeliveries } from './delivery-folder.ts';
import { secretOf } from './inbox.ts';
import { senders } from './senders.ts';

export const webhookConfig = z.strictObject({
  /** Where deliveries are kept until they are read. Nothing else is to write there. */
  path: z.string().startsWith('/'),
  sender: z.enum(senders),
  /** File of mode 0600 with the secret that is shared with the sender. */
  secretFile: z.string().startsWith('/'),
  /** The mapping of a delivery, verbatim. */
  mapping: z.string().min(1),
  lagSeconds,
});
export type WebhookConfig = z.infer<typeof webhookConfig>;

interface Place extends DeliveryPlace {
  readonly watermark: string | null;
}

/**
 * What another system sends by webhook, as it was received: `{"received": …, "headers": {…}, "body": <the exact bytes>}`. A delivery can be lost, and comes in no order: that one
 * is not there proves nothing.
 */
export const webhookConnector: Connector<WebhookConfig, Place> = {
  kind: 'webhook',
  version: '1',
  config: webhookConfig,
  start: async (given) => endOf<Place>((from, limit) => read(given, from, limit), { read: [], watermark: null }),
  read: async (given, from, limit) => read(given, from, limit),
  rule: ({ mapping }) => utf8(mapping),
  check: async (given) => check(given),
  isLossy: true,
  skewMs: 2_000,
};

function read({ path, mapping: text, lagSeconds }: WebhookConfig, from: Place, limit: number): Reading<Place> {
  const { mapping, reader } = compiledOf(text);
  const begun = Date.now();
  const { deliveries, to, more } = readDeliveries(path, from, limit);
  const records: SourceRecord[] = [];
  const gaps: Gap[] = [];
  const lagMs = (lagSeconds ?? mapping.lagSeconds) * 1000;
  const now = new Date(begun - lagMs).toISOString();
  const watermark = more || (from.watermark !== null && now < from.watermark) ? from.watermark : now;
  for (const raw of deliveries) {
    const event = eventOf(reader, raw);
    if (typeof event === 'string')
      gaps.push({ from: from.watermark ?? now, to: new Date(begun).toISOString(), why: `a delivery: ${event}` });
    else if (event !== null) records.push({ raw, event });
  }
  const coverage = [...mapping.coverage, 'as far as deliveries arrived'];
  return { records, to: { ...to, watermark }, watermark, coverage, problems: [], gaps, more };
}

function check({ path, secretFile }: WebhookConfig): readonly SourceCheck[] {
  return [
    looked('the secret', () => `${secretOf(secretFile).length} characters`),
    looked('the folder of deliveries', () => {
      accessSync(path, constants.W_OK);
      return path;
    }),
  ];
}
