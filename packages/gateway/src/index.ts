export { type Acted, Walk, type WalkOptions } from './action.ts';
export type { Answer, Call } from './call.ts';
export * from './errors.ts';
export { GitError } from './git/errors.ts';
export { GitRelay, type RefusedPush, type RelaySession } from './git/relay.ts';
export { type HookAnswer, HookDesk, type HookSpeaker, hookServer, type SessionTask } from './hooks/hook-desk.ts';
export { claudeCodeMessage } from './hooks/message.ts';
export { HttpEndpoint } from './mcp/http/endpoint.ts';
export type { EndpointOptions, Visitor } from './mcp/http/session.ts';
export { LineSplitter } from './mcp/lines.ts';
export { errorReply, maxLineBytes } from './mcp/message.ts';
export { McpSession, type SessionOptions, type Surroundings } from './mcp/session.ts';
export { defaultLinkLimits, type LinkLimits } from './mcp/tool-link.ts';
export { type EndpointKey, EndpointKeys } from './tools/endpoint-keys.ts';
export { gatewayExamination } from './tools/examination.ts';
export { Pins } from './tools/pins.ts';
export { filledHeaders, placeholderOf } from './tools/placeholders.ts';
export {
  type Tool,
  type ToolCredential,
  type ToolKind,
  ToolRegistry,
  toolCredential,
  toolKinds,
  toolMigrations,
} from './tools/registry.ts';
