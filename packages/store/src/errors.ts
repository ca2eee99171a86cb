import { DeedError } from '@deed/evidence';

export type StoreErrorCode =
  | 'conflict' // a create-only name already holds other bytes
  | 'fatal' // the disk no longer keeps its promise: the process must end
  | 'newer' // written by a newer version of Deed
  | 'locked' // another process holds the folder
  | 'busy' // a reader is in the way
  | 'name' // not a name this store accepts
  | 'absent'; // nothing there to open

export class StoreError extends DeedError<StoreErrorCode> {
  override readonly name = 'StoreError';
}
