import type { Statement } from '@deed/evidence';
import type { ReadDatabase } from '@deed/store';
import type { Examined } from './examined.ts';

/** What a room's examination is given: the data folder to read in, and where problems go. */
export interface RoomGround {
  readonly folder: string;
  readonly database: ReadDatabase;
  readonly add: Examined['add'];
  /** To be called between small pieces of work, a file or a few rows. */
  readonly breathe: () => void;
}

/** A statement at its place in the log. */
export interface LoggedStatement {
  readonly index: number;
  readonly statement: Statement;
}

/** What a room above the ledger contributes to fsck: it answers for its own tables and files, and for no other's. */
export interface RoomExamination {
  /** Each table is answered for by one room. */
  readonly tables: readonly string[];
  /** Whether a file of the data folder (its path there, with slashes) is this room's to answer for. */
  owns(path: string): boolean;
  /** `statement` is called for each, in the order of the log; `end` once, afterwards. */
  begin(ground: RoomGround): { statement(logged: LoggedStatement): void; end(): void };
}
