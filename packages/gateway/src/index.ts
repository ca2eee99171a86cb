export { type Acted, Walk, type WalkOptions } from './action.ts';
export type { ActionState, ServiceResponse } from './api/action-state.ts';
export { CloseAsks } from './api/close-asks.ts';
export { type ApiAnswer, ApiDesk, type Shown } from './api/desk.ts';
export { KeyedActions } from './api/keyed-actions.ts';
export { maxRequestBytes, messageOfGet, type RequestName, requests } from './api/requests.ts';
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
export type { Captured } from './model/captured.ts';
export { type ModelKey, ModelKeys } from './model/model-keys.ts';
export { Prompts } from './model/prompts.ts';
export {
  type Exchange,
  type ExchangeEnd,
  type ModelRelay,
  type ModelRelayOptions,
  modelRelay,
  type Onward,
  type Passage,
} from './model/relay.ts';
export { type EndpointKey, EndpointKeys } from './tools/endpoint-keys.ts';
export { gatewayExamination } from './tools/examination.ts';
export { type Operation, operation } from './tools/operation.ts';
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
