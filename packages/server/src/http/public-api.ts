import { maxRequestBytes } from '@deed/gateway';
import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { actionsApi } from './actions-api.ts';
import { approvalsApi } from './approvals-api.ts';
import { enrolApi } from './enrol-api.ts';
import { publicHopsApi } from './hops-api.ts';
import { inboxApi } from './inbox-api.ts';
import { myTasksApi } from './my-tasks-api.ts';
import { oauthApi } from './oauth-api.ts';
import { oidcApi } from './oidc-api.ts';
import { ordersApi } from './orders-api.ts';
import { peopleApi } from './people-api.ts';
import { problem, withProblems } from './problem.ts';
import type { PublicDoor } from './public-door.ts';
import { openSessions } from './session.ts';

/** Of a request from the network, unless it brings the arguments or the result of an action, or what a webhook tells. */
const maxBodyBytes = 256 * 1024;
const brings = /^\/v1\/(actions(\/[^/]+\/result)?|execute|inbox\/[^/]+)$/;

/** Each part says itself who may use it: nothing here knows the caller. */
const parts: readonly ((door: PublicDoor) => Hono)[] = [
  oauthApi,
  enrolApi,
  peopleApi,
  oidcApi,
  myTasksApi,
  approvalsApi,
  ordersApi,
  publicHopsApi,
  actionsApi,
  inboxApi,
];

/** What is open to the network beside the log: nothing in it is for operators alone. */
export function publicApi(given: Omit<PublicDoor, 'sessions'>): Hono {
  const door = { ...given, sessions: openSessions(given.deployment.authority.people, given.url) };
  const app = new Hono();
  // The rest is not read, so nothing else can come on this connection.
  const onError = () => problem(413, 'request', 'the request is too long', { connection: 'close' });
  const small = bodyLimit({ maxSize: maxBodyBytes, onError });
  const large = bodyLimit({ maxSize: maxRequestBytes, onError });
  app.use((c, next) => (brings.test(c.req.path) ? large : small)(c, next));
  for (const part of parts) app.route('/', part(door));
  return withProblems(app);
}
