import type { SourceEvent } from '@deed/evidence';
import { z } from 'zod';
import type { Connector, Reading } from '../connector.ts';
import { type ForgeEvent, type ForgePosition, readForgeLog, startOfForgeLog } from './forge-log.ts';

const config = z.strictObject({
  /** The folder in which the forge keeps its records. */
  dir: z.string().startsWith('/'),
});
type Config = z.infer<typeof config>;

/** The records of a git forge: each updated ref, each request that was refused, and git's own reflogs beside them. */
export const gitForgeConnector: Connector<Config, ForgePosition> = {
  kind: 'git-forge',
  version: '2',
  config,
  async start({ dir }) {
    return { ...(await readingOf(dir, startOfForgeLog)), records: [] };
  },
  read: ({ dir }, from) => readingOf(dir, from),
  skewMs: 0,
};

async function readingOf(dir: string, from: ForgePosition): Promise<Reading<ForgePosition>> {
  const { events, to, watermark, coverage, problems } = await readForgeLog(dir, from);
  return {
    records: events.map((event) => ({ raw: event.raw, event: envelopeOf(event) })),
    ...{ to, watermark, coverage, problems, more: false },
  };
}

function envelopeOf(event: ForgeEvent): SourceEvent {
  const { sourceEventId, time, credential, repository, ref, old, new: to, record, requestId, reason } = event;
  const isPush = event.kind === 'push';
  const resource =
    repository === null
      ? null
      : isPush
        ? { type: 'git-ref', uid: `${repository} ${ref}`, parent: repository }
        : { type: 'git-repository', uid: repository, parent: null };
  return {
    ...{ id: sourceEventId, time, class_uid: 6003 },
    activity: isPush ? 'update' : 'other',
    operation: event.kind,
    status: event.status === 'ok' ? 'success' : 'failure',
    credential: credential === null ? null : { kind: 'git-forge', uid: credential },
    ...{ principal: null, session: null, network: null },
    correlation: requestId === null ? {} : { request: requestId },
    resource,
    fields: isPush ? { record, old: old ?? null, new: to ?? null } : { record, reason: reason ?? null },
  };
}
