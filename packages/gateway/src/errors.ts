import { DeedError } from '@deed/evidence';

export type GatewayErrorCode =
  | 'message' // not one strict JSON-RPC message
  | 'too-large' // a line above the limit
  | 'duplicate-id' // a request id that is still in flight
  | 'tool' // fields of a registration that are not accepted
  | 'tool-unregistered' // no operator registered this command
  | 'tool-executable' // the registered program's files changed
  | 'tool-died' // the tool's process ended
  | 'tool-unknown' // the server offers no such tool
  | 'tool-changed' // the tool's definition is not the pinned one
  | 'credential' // the tool is given a credential, and the task has none for it
  | 'operands' // what the call would touch cannot be told
  | 'hook' // what a hook says does not fit what it said before
  | 'held' // waits for a person
  | 'request' // a request of the HTTP API that is not in its form
  | 'idempotency' // the key stands for another call
  | 'unknown-action' // no action of the task has this id
  | 'ended' // the action has its outcome already
  | 'closed'; // the session ended

export class GatewayError extends DeedError<GatewayErrorCode> {
  override readonly name = 'GatewayError';
}
