import type { TaskFields } from '@deed/authority';
import { Hono } from 'hono';
import type { z } from 'zod';
import { ServerError } from '../errors.ts';
import { body } from './body.ts';
import type { PublicDoor } from './public-door.ts';
import { requireSameOrigin } from './session.ts';
import * as shapes from './shapes.ts';

/** What a signed-in operator does in his own name: he is the principal, and the task says how he was authenticated. */
export function myTasksApi({ deployment, url, sessions }: PublicDoor): Hono {
  const { tasks, credentials } = deployment.authority;
  const app = new Hono();
  const operator = (request: Request) => {
    requireSameOrigin(request, url());
    const who = sessions.personOf(request);
    if (!who) throw new ServerError('signed-out', 'nobody is signed in: sign in at /people/sign-in');
    if (!who.person.roles.includes('operator'))
      throw new ServerError('forbidden', 'only an operator opens and closes tasks');
    return who;
  };
  app.post('/v1/my/tasks', async (c) => {
    const { person, how } = operator(c.req.raw);
    const authenticated =
      how === 'passkey' ? 'a session begun with a passkey' : 'a session begun at the OpenID provider';
    const fields = taskFields(await body(c.req.raw, shapes.ownTask));
    const { id } = await tasks.open({ ...fields, principal: { kind: 'person', id: person.id, authenticated, how } });
    return c.json({ task: id }, 201);
  });
  app.post('/v1/my/tasks/:id/close', async (c) => {
    const { person } = operator(c.req.raw);
    const task = tasks.get(c.req.param('id'));
    if (task?.principalId !== person.id) throw new ServerError('not-found', `you have no task ${c.req.param('id')}`);
    const closed = await tasks.close(task.id, 'principal');
    await credentials.settled(task.id);
    return c.json({ closed });
  });
  return app;
}

/** The fields of a task, from the shape of a request. */
export function taskFields({
  deadlineSeconds,
  budget,
  ceiling,
  depth,
  allow,
  ...rest
}: z.infer<typeof shapes.ownTask>): Omit<TaskFields, 'principal'> {
  return {
    ...rest,
    allow: allow as TaskFields['allow'],
    ...(depth === undefined ? {} : { depth }),
    ...(ceiling === undefined ? {} : { ceiling }),
    ...(budget === undefined ? {} : { budget: { actions: budget } }),
    ...(deadlineSeconds === undefined ? {} : { deadline: Date.now() + deadlineSeconds * 1000 }),
  };
}
