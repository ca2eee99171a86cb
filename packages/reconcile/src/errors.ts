import { DeedError } from '@deed/evidence';

export type ReconcileErrorCode =
  | 'source' // fields of a source that are not accepted
  | 'unknown-source'
  | 'unknown-task' // no such task
  | 'erased' // what would be compared is gone
  | 'unknown-finding';

export class ReconcileError extends DeedError<ReconcileErrorCode> {
  override readonly name = 'ReconcileError';
}
