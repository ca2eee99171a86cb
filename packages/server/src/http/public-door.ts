import type { Deployment } from '../deployment.ts';
import type { Sessions } from './session.ts';

/** What the parts of the public API stand on. */
export interface PublicDoor {
  readonly deployment: Deployment;
  /** How others reach this server: no slash at the end. */
  url(): string;
  /** Who is signed in. */
  readonly sessions: Sessions;
}
