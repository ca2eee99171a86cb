export * from './errors.ts';
export { type Guarded, guard } from './guard.ts';
export { type AgentIdentity, readAgentKey } from './identity.ts';
export {
  type Action,
  type ActionRequest,
  type ExecuteOptions,
  type Held,
  TaskClient,
  type TaskClientOptions,
} from './task-client.ts';
export { TaskTokens } from './task-tokens.ts';
