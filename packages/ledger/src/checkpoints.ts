import { type Checkpoint, toBase64 } from '@deed/evidence';
import type { Database } from '@deed/store';

/** A signed checkpoint as it was published. */
export interface PublishedCheckpoint {
  readonly size: number;
  /** 32 bytes. */
  readonly root: Uint8Array;
  /** The whole note: text, the log's signatures, the witnesses' cosignatures. */
  readonly note: string;
  /** The quorum of the ledger's configuration had signed. */
  readonly witnessed: boolean;
}

interface Row {
  readonly size: number;
  readonly root: Uint8Array;
  readonly note: string;
  readonly witnessed: number;
}

const columns = 'SELECT size, root, note, witnessed FROM checkpoint';

/**
 * The checkpoints that stay: the newest, the newest witnessed, and those that somebody was given. The newest gets more and
 * fresher cosignatures; what somebody was given may be cited by its digest, so that note stays as it was.
 */
export class Checkpoints {
  private readonly database: Database;
  latest: PublishedCheckpoint | undefined;
  latestWitnessed: PublishedCheckpoint | undefined;

  constructor(database: Database) {
    this.database = database;
    this.latest = this.find(`${columns} ORDER BY size DESC LIMIT 1`);
    this.latestWitnessed = this.find(`${columns} WHERE witnessed = 1 ORDER BY size DESC LIMIT 1`);
  }

  /** As somebody was given it, if anybody was. */
  at(size: number): PublishedCheckpoint | undefined {
    return this.find(
      `SELECT size, root, coalesce(given, note) AS note, witnessed FROM checkpoint WHERE size = ?`,
      size,
    );
  }

  /** Stores a checkpoint, or the same one with other cosignatures. */
  put(checkpoint: Checkpoint, note: string, witnessed: boolean): PublishedCheckpoint {
    const { size, root } = checkpoint;
    const stored = { size, root, note, witnessed };
    const newestWitnessed = witnessed ? size : (this.latestWitnessed?.size ?? -1);
    this.database.transaction((tx) => {
      const before = tx.get<Row>(`${columns} WHERE size = ?`, size);
      if (before && toBase64(before.root) !== toBase64(root)) throw new Error(`two roots for size ${size}`);
      tx.run(
        `INSERT INTO checkpoint (size, root, note, witnessed) VALUES (?, ?, ?, ?)
         ON CONFLICT (size) DO UPDATE SET note = excluded.note, witnessed = excluded.witnessed`,
        size,
        root,
        note,
        witnessed ? 1 : 0,
      );
      tx.run('DELETE FROM checkpoint WHERE given IS NULL AND size < ? AND size <> ?', size, newestWitnessed);
    });
    this.latest = stored;
    if (witnessed) this.latestWitnessed = stored;
    return stored;
  }

  /** Somebody is given a witnessed checkpoint: all who are get the same note of its size, for ever. */
  give(checkpoint: PublishedCheckpoint): PublishedCheckpoint {
    const { size, note } = checkpoint;
    this.database.transaction((tx) =>
      tx.run('UPDATE checkpoint SET given = ? WHERE size = ? AND given IS NULL', note, size),
    );
    return this.at(size) ?? checkpoint;
  }

  private find(sql: string, ...values: readonly number[]): PublishedCheckpoint | undefined {
    const row = this.database.get<Row>(sql, ...values);
    return row && { size: row.size, root: row.root, note: row.note, witnessed: row.witnessed === 1 };
  }
}
