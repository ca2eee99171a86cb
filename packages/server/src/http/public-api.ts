import { Hono } from 'hono';
import type { Deployment } from '../deployment.ts';
import { enrolApi } from './enrol-api.ts';
import { oauthApi } from './oauth-api.ts';
import { withProblems } from './problem.ts';

/** What the parts of the public API stand on. */
export interface PublicDoor {
  readonly deployment: Deployment;
  /** How others reach this server: no slash at the end. */
  url(): string;
}

/** Each part says itself who may use it: nothing here knows the caller. */
const parts: readonly ((door: PublicDoor) => Hono)[] = [oauthApi, enrolApi];

/** What is open to the network beside the log: nothing in it is for operators alone. */
export function publicApi(door: PublicDoor): Hono {
  const app = new Hono();
  for (const part of parts) app.route('/', part(door));
  return withProblems(app);
}
