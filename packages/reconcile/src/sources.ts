import type { Database } from '@deed/store';
import { z } from 'zod';
import { ReconcileError } from './errors.ts';
import { type ForgePosition, readForgeLog } from './git/forge-log.ts';

const fields = z.strictObject({
  id: z.string().regex(/^[a-z0-9][a-z0-9._-]{0,62}$/, 'lower-case letters, digits, ".", "_", "-"'),
  kind: z.literal('git-forge'),
  config: z.strictObject({
    /** The folder in which the forge keeps its records. */
    dir: z.string().startsWith('/'),
  }),
});

/** Another system's own log that is read. */
export interface Source extends z.infer<typeof fields> {
  readonly position: ForgePosition | null;
  readonly watermark: string | null;
  /** What happened before this moment is not covered. Null: registered before this was noted. */
  readonly since: string | null;
}

/**
 * Reads this source from now on: what it recorded before belongs to no task of ours, and only moves the watermark.
 * @throws ReconcileError source
 */
export async function addSource(db: Database, source: z.infer<typeof fields>): Promise<void> {
  const parsed = fields.safeParse(source);
  if (!parsed.success) throw new ReconcileError('source', z.prettifyError(parsed.error));
  const { id, kind, config } = parsed.data;
  const { to, watermark } = await readForgeLog(config.dir);
  db.transaction((tx) => {
    if (tx.get('SELECT 1 FROM source WHERE id = ?', id))
      throw new ReconcileError('source', `source ${id} exists already`);
    const values = [id, kind, JSON.stringify(config), JSON.stringify(to), watermark, new Date().toISOString()];
    tx.run('INSERT INTO source (id, kind, config, position, watermark, since) VALUES (?, ?, ?, ?, ?, ?)', ...values);
  });
}

export function listSources(db: Database): Source[] {
  type Row = Pick<Source, 'id' | 'kind' | 'watermark' | 'since'> & { config: string; position: string | null };
  return db.all<Row>('SELECT * FROM source ORDER BY id').map(({ id, kind, config, position, watermark, since }) => ({
    ...fields.parse({ id, kind, config: JSON.parse(config) }),
    position: position === null ? null : (JSON.parse(position) as ForgePosition),
    watermark,
    since,
  }));
}
