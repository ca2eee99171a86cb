import type { NodeReader } from '@deed/evidence';
import type { ReadDatabase } from '@deed/store';

/** Something that is not as the database's rows and the signatures say it must be. */
export interface Problem {
  readonly code:
    | 'database' // SQLite itself finds the file damaged
    | 'entry' // a row whose statement, signature, place or key does not hold
    | 'tile' // a tile or bundle with other bytes
    | 'checkpoint' // a checkpoint that does not parse, is not signed, or has another root
    | 'state' // a row that the entries do not give, or give otherwise
    | 'payload' // a payload object that its key does not open
    | 'key' // a key that is not the one the log names, or opens nothing
    | 'file' // another file that is not as the log says
    | 'missing' // a file that must be there
    | 'stray' // a file that must not be there
    | 'unfinished'; // what a crash leaves and the next start puts right; nothing is lost
  /** `entry 17`, `checkpoint row 300`, `table tasks, row tsk_…`; a file of the log: `tile/0/001`, `checkpoint`; any other: its path. */
  readonly where: string;
  readonly what: string;
}

/** What the checks share. `add` stops collecting after a thousand. */
export interface Examined {
  readonly database: ReadDatabase;
  readonly logFolder: string;
  /** Entries that are looked at: those committed when the check began. */
  readonly size: number;
  readonly tree: NodeReader;
  readonly breathe: () => void;
  add(code: Problem['code'], where: string, what: string): void;
}
