import { DeedError } from '@deed/evidence';

export type ReconcileErrorCode =
  | 'source' // fields of a source that are not accepted
  | 'unknown-source'
  | 'unknown-task'
  | 'unknown-finding';

export class ReconcileError extends DeedError<ReconcileErrorCode> {
  override readonly name = 'ReconcileError';
}
