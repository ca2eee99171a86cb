import { DeedError } from '@deed/evidence';

export type ReadingCopyErrorCode =
  | 'limit' // a case too large for one page
  | 'script'; // the page's script cannot be made

export class ReadingCopyError extends DeedError<ReadingCopyErrorCode> {
  override readonly name = 'ReadingCopyError';
}
