import { type Message, valueAt } from './message.ts';

/** Methods that reach a resource: each use is decided and recorded. */
function isDecided(method: string): boolean {
  return (
    method === 'tools/call' ||
    method === 'resources/read' ||
    method === 'resources/subscribe' ||
    method === 'prompts/get' ||
    method === 'completion/complete' ||
    method.startsWith('tasks/')
  );
}

/** Whether a message of a client is decided and recorded: what reaches a resource, and what nobody knows. */
export function isJudged(message: Message): boolean {
  const { method } = message;
  if (method === null) return false;
  if (method === 'subscriptions/listen') return isListening(message);
  return isDecided(method) || !isProtocol(method);
}

/** Whether a refused request is of a method that nobody here knows, which the protocol has a code of its own for. */
export function isUnknown({ method }: Message): boolean {
  return method !== null && method !== 'subscriptions/listen' && !isDecided(method) && !isProtocol(method);
}

/** Whether a request wants to be told of changes of resources, and not only of lists. */
export function isListening({ method, json }: Message): boolean {
  const resources = valueAt(json.value, 'params', 'notifications', 'resourceSubscriptions');
  const none = resources === undefined || (Array.isArray(resources) && resources.length === 0);
  return method === 'subscriptions/listen' && !none;
}

/** Whether a server says that it began to tell of changes. */
export function acknowledges({ method }: Message): boolean {
  return method === 'notifications/subscriptions/acknowledged';
}

const protocol = new Set([
  'initialize',
  'server/discover',
  'ping',
  'tools/list',
  'resources/list',
  'resources/templates/list',
  'resources/unsubscribe',
  'prompts/list',
  'logging/setLevel',
  'notifications/initialized',
  'notifications/cancelled',
  'notifications/progress',
  'notifications/roots/list_changed',
]);

/** Methods of the protocol itself (2024-11-05 to 2026-07-28): they pass byte for byte. */
function isProtocol(method: string): boolean {
  return protocol.has(method);
}
