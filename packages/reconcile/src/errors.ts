import { DeedError } from '@deed/evidence';

export type ReconcileErrorCode =
  | 'source' // fields of a source that are not accepted
  | 'unknown-source'
  | 'unreachable' // a source that cannot be read now
  | 'unknown-task' // no such task
  | 'erased' // what would be compared is gone
  | 'word' // a signed word that does not count
  | 'unknown-finding';

export class ReconcileError extends DeedError<ReconcileErrorCode> {
  override readonly name = 'ReconcileError';
}
