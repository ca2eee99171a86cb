import { idPattern, sha256Hex, tiers, timestamp } from '@deed/evidence';
import { type RequestName, requests } from '@deed/gateway';
import { z } from 'zod';
import { version } from '../version.ts';

const action = z.string().regex(idPattern('action'));

/** What requests are answered with. */
export const answers = {
  Action: z
    .strictObject({
      action,
      state: z.enum(['asked', 'begun', 'ok', 'error', 'unknown']),
      tier: z.enum(tiers).nullable(),
      intent: sha256Hex.nullable(),
      outcome: sha256Hex.nullable(),
      expires: timestamp.nullable(),
      response: z
        .union([
          z.strictObject({ status: z.number().int().nullable(), type: z.string(), text: z.string() }),
          z.strictObject({ status: z.number().int().nullable(), type: z.string(), base64: z.string() }),
        ])
        .nullable(),
    })
    .describe(
      'How it stands with an action. `asked`: nothing was begun under it; send the request again. `begun`: it may be made, or is under way. The others are what came of it. `intent` and `outcome` are the digests of its statements. `expires`: until when the result must be told. `response`: what the service answered; null where nothing of it is kept.',
    ),
  Held: z
    .strictObject({
      action,
      state: z.literal('held'),
      approval: z.strictObject({ page: z.string().nullable(), expires: timestamp, message: z.string() }),
    })
    .describe('It waits for people. Poll the action until it is no longer held, then send the request again.'),
  Asked: z.strictObject({ task: z.string().regex(idPattern('task')), asked: timestamp }),
  Problem: z
    .looseObject({
      type: z.string(),
      title: z.string(),
      status: z.number().int(),
      detail: z.string(),
      action: action.optional(),
    })
    .describe('RFC 9457. `title` is the code, `detail` says what to do.'),
} as const;

type AnswerName = keyof typeof answers;

interface Route {
  readonly summary: string;
  readonly body?: RequestName;
  readonly waits?: boolean;
  readonly answers: Readonly<Record<string, AnswerName>>;
}

const refusals = {
  '401': 'Problem', // token or proof
  '403': 'Problem', // policy, the task, a person
  '409': 'Problem', // the task is closed, or the action has ended
  '503': 'Problem', // the log cannot be written
} as const;

const routes: Readonly<Record<string, Readonly<Record<string, Route>>>> = {
  '/v1/actions': {
    post: {
      summary: 'Asks for leave to make a call oneself. The intent is durable before the answer.',
      body: 'act',
      answers: { '200': 'Action', '400': 'Problem', ...refusals, '422': 'Problem' },
    },
  },
  '/v1/execute': {
    post: {
      summary: 'Has the gateway call a registered service with a credential that the caller never holds.',
      body: 'execute',
      waits: true,
      answers: { '200': 'Action', '202': 'Held', '400': 'Problem', ...refusals, '404': 'Problem', '422': 'Problem' },
    },
  },
  '/v1/actions/{action}': {
    get: {
      summary:
        'How it stands with an action; with `wait`, once that changes. The proof is over `GET` and this path, without the query.',
      waits: true,
      answers: { '200': 'Action', '202': 'Held', ...refusals, '404': 'Problem' },
    },
  },
  '/v1/actions/{action}/result': {
    post: {
      summary: 'Tells what came of a call that the caller made itself.',
      body: 'result',
      answers: { '200': 'Action', '400': 'Problem', ...refusals, '404': 'Problem' },
    },
  },
  '/v1/tasks/{task}/close': {
    post: {
      summary: 'Asks for the task to be closed: its principal or an operator does it.',
      body: 'close',
      answers: { '202': 'Asked', '400': 'Problem', ...refusals },
    },
  },
};

/** The description of the HTTP API, OpenAPI 3.1, from the shapes that its requests are read by. */
export function openApi(url: string): object {
  return {
    openapi: '3.1.0',
    info: {
      title: 'Deed',
      version,
      description:
        'Every request shows a task token and a proof of possession over its exact body: see docs/formats/token.md and docs/formats/http-api.md.',
    },
    servers: [{ url }],
    security: [{ taskToken: [], proof: [] }],
    paths: Object.fromEntries(
      Object.entries(routes).map(([path, methods]) => [
        path,
        Object.fromEntries(Object.entries(methods).map(([method, route]) => [method, operationOf(path, route)])),
      ]),
    ),
    components: {
      securitySchemes: {
        taskToken: { type: 'apiKey', in: 'header', name: 'Deed-Task-Token' },
        proof: { type: 'apiKey', in: 'header', name: 'Workload-Proof-Token' },
      },
      schemas: {
        ...Object.fromEntries(
          Object.entries(requests).map(([name, shape]) => [requestName(name), schemaOf(shape, 'input')]),
        ),
        ...Object.fromEntries(Object.entries(answers).map(([name, shape]) => [name, schemaOf(shape, 'output')])),
      },
    },
  };
}

function operationOf(path: string, { summary, body, waits, answers: told }: Route): object {
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => ({
    ...{ name, in: 'path', required: true },
    schema: { type: 'string', pattern: idPattern(name === 'task' ? 'task' : 'action').source },
  }));
  const wait = {
    ...{ name: 'wait', in: 'query', required: false },
    description: 'How long it may wait, in seconds: 25 at most.',
    schema: { type: 'integer', minimum: 0 },
  };
  return {
    summary,
    parameters: [...inPath, ...(waits ? [wait] : [])],
    ...(body ? { requestBody: { required: true, content: json(requestName(body)) } } : {}),
    responses: Object.fromEntries(
      Object.entries(told).map(([status, name]) => [
        status,
        { description: name, content: name === 'Problem' ? json(name, 'application/problem+json') : json(name) },
      ]),
    ),
  };
}

function json(schema: string, type = 'application/json'): object {
  return { [type]: { schema: { $ref: `#/components/schemas/${schema}` } } };
}

function requestName(name: string): string {
  return `${name.charAt(0).toUpperCase()}${name.slice(1)}Request`;
}

function schemaOf(shape: z.ZodType, io: 'input' | 'output'): object {
  const { $schema: _, ...schema } = z.toJSONSchema(shape, { io, target: 'draft-2020-12' }) as Record<string, unknown>;
  return schema;
}
