import { DeedError } from '@deed/evidence';

export type GitErrorCode =
  | 'pkt-line' // bytes that are not the git wire form expected here
  | 'limit' // larger than the stated limit
  | 'session' // a relay or session that is closed, or cannot be opened as asked
  | 'window' // a second window while one is open, or a window for nothing
  | 'arguments' // tool arguments that do not name one operation
  | 'remote' // a remote that does not lead to the forge, or to more than one place
  | 'git' // git, or the forge, refused or could not run
  | 'timeout'; // git or the forge did not end in time

export class GitError extends DeedError<GitErrorCode> {
  override readonly name = 'GitError';
}
