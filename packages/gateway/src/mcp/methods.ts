/** Methods that reach a resource: each use is decided and recorded. */
export function isDecided(method: string): boolean {
  return (
    method === 'tools/call' ||
    method === 'resources/read' ||
    method === 'resources/subscribe' ||
    method === 'prompts/get' ||
    method === 'completion/complete' ||
    method.startsWith('tasks/')
  );
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
export function isProtocol(method: string): boolean {
  return protocol.has(method);
}
