import { DeedError } from '@deed/evidence';

export type ServerErrorCode =
  | 'config' // a configuration that cannot be read
  | 'folder' // no data folder, or not one of ours
  | 'socket' // the runtime folder is not safe to use
  | 'no-server' // nobody serves this data folder
  | 'witness' // the local witness cannot be started
  | 'not-ready' // the witnesses have not yet confirmed that this is the newest state
  | 'request' // a request that is not accepted
  | 'busy' // too much is under way
  | 'not-found'
  | 'origin' // a request that a page of another site could have made
  | 'passkey' // a passkey that is not accepted, or nobody's
  | 'forbidden' // the person has no role for this
  | 'signed-out' // nobody is signed in
  | 'oidc' // the provider, or what it said, is not accepted
  | 'backup' // a place for a backup that does not do, or a backup that cannot be used
  | 'case'; // the case cannot be exported now

export class ServerError extends DeedError<ServerErrorCode> {
  override readonly name = 'ServerError';
}
