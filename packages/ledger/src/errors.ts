import { DeedError } from '@deed/evidence';

export type LedgerErrorCode =
  | 'draft' // a draft that cannot become a statement: the caller's mistake, nothing was reserved
  | 'overloaded' // too much is waiting: try again later
  | 'not-ready' // the witnesses have not yet confirmed that this is the newest state
  | 'stopped' // the ledger has stopped; nothing more is acknowledged
  | 'absent' // no such entry, proof or checkpoint
  | 'damaged' // database, tiles and checkpoint disagree beyond recovery
  | 'foreign' // the folder belongs to another log: other origin or keys
  | 'forked' // a witness knows a larger or another tree than this folder
  | 'clock' // the clock stands before the last signed checkpoint
  | 'key' // a key file that cannot be used
  | 'timestamp' // a timestamp authority that gave no usable answer
  | 'witness'; // a witness that is not configured, or refused

export class LedgerError extends DeedError<LedgerErrorCode> {
  override readonly name = 'LedgerError';
}
