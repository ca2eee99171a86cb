import { fromBase64, toBase64, word } from '@deed/evidence';
import { Hono } from 'hono';
import { z } from 'zod';
import { ServerError } from '../errors.ts';
import { approvalPage, approvalsPage } from '../pages/approval-pages.ts';
import { body } from './body.ts';
import { nextChange } from './next-change.ts';
import { requireOwnPage } from './own-page.ts';
import type { PublicDoor } from './public-door.ts';
import { requireSameOrigin } from './session.ts';

/** What the approver's browser tells of the reading: stored as its claim. */
const reported = z.strictObject({
  shownMs: z.int().min(0).max(86_400_000),
  seenPercent: z.int().min(0).max(100),
});
const answered = z.strictObject({ word, reported, edited: z.base64().optional() });
const longestWaitSeconds = 25;

/**
 * For approvers with a browser: what waits, exactly as it will be signed, and the door for what they sign. A session shows who is
 * asking; only the word that a passkey signed over the action approves it.
 */
export function approvalsApi({ deployment, url, sessions }: PublicDoor): Hono {
  const { approvals, people } = deployment.authority;
  const app = new Hono();
  const approver = (request: Request) => {
    const who = sessions.personOf(request);
    if (!who) throw new ServerError('signed-out', 'nobody is signed in: sign in at /people/sign-in');
    if (!who.person.roles.includes('approver')) throw new ServerError('forbidden', 'only an approver sees what waits');
    return who.person;
  };
  const signIn = (path: string) => `/people/sign-in#${path}`;

  app.get('/approvals', async (c) =>
    sessions.personOf(c.req.raw) ? approvalsPage() : c.redirect(signIn('/approvals'), 303),
  );
  app.get('/approvals/:id', async (c) =>
    sessions.personOf(c.req.raw) ? approvalPage() : c.redirect(signIn(new URL(c.req.url).pathname), 303),
  );

  app.get('/v1/my/approvals', async (c) => {
    const { id: person } = approver(c.req.raw);
    const seconds = Math.min(Number(c.req.query('wait') ?? 0) || 0, longestWaitSeconds);
    if (seconds > 0) await nextChange(approvals, seconds);
    const waiting = approvals.list().map((hold) => {
      const { server, tool } = approvals.view(hold.id);
      const { id, task, heldAt, expires } = hold;
      return { id, task, server, tool, heldAt, expires, whyNot: approvals.whyNot(id, person) };
    });
    return c.json({ approvals: waiting });
  });
  app.get('/v1/my/approvals/:id', (c) => {
    const { id: person } = approver(c.req.raw);
    const { recordObject, renderingObject, ...view } = approvals.view(c.req.param('id'));
    return c.json({
      ...view,
      recordObject: toBase64(recordObject),
      renderingObject: toBase64(renderingObject),
      person,
      whyNot: approvals.whyNot(view.id, person),
      passkeys: people.passkeysOf(person),
    });
  });
  app.post('/v1/my/approvals/:id', async (c) => {
    requireSameOrigin(c.req.raw, url());
    const { id: person } = approver(c.req.raw);
    const { word, reported, edited } = await body(c.req.raw, answered);
    requireOwnPage(word, url());
    const answer = await approvals.answer(person, word, {
      reported,
      edited: edited === undefined ? null : fromBase64(edited),
    });
    return c.json(answer.kind === 'waiting' ? answer : { kind: answer.kind });
  });
  return app;
}
