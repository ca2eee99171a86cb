import { ActionRefused } from './errors.ts';
import type { Action, ActionRequest, TaskClient } from './task-client.ts';

/** A call that is made only if Deed allows it. */
export interface Guarded<Value> {
  /** What is about to be done. `server` is `self:<name>`. */
  readonly call: ActionRequest;
  /** Does it. Called once, and not at all if it is refused. */
  readonly execute: (action: Action) => Value | PromiseLike<Value>;
  /** What of its value is recorded. Default: the value, where JSON can hold it. */
  readonly record?: (value: Value) => unknown;
}

/**
 * Makes a call between its intent and its outcome: nothing is done before the intent is in the log, and what came of it is told. If it cannot
 * be told any more, the value is returned all the same with a process warning, and the log says `unknown`: to fail here would have the
 * call made twice.
 * @throws ActionRefused if Deed says no, ServerUnreachable if it cannot be asked (both: nothing was done), and whatever `execute` throws
 */
export async function guard<Value>(client: TaskClient, { call, execute, record }: Guarded<Value>): Promise<Value> {
  const action = await client.act(call);
  if (action.state !== 'begun') {
    const detail = `this call was made before and ended as ${action.state}`;
    throw new ActionRefused({ code: 'ended', status: 409, action: action.action, detail });
  }
  let value: Value;
  try {
    value = await execute(action);
  } catch (error) {
    await tell(client, action, 'error', { error: error instanceof Error ? error.message : String(error) });
    throw error;
  }
  await tell(client, action, 'ok', recordable(record ? record(value) : value));
  return value;
}

async function tell(client: TaskClient, { action }: Action, status: 'ok' | 'error', result: unknown): Promise<void> {
  try {
    await client.result(action, status, result);
  } catch (error) {
    process.emitWarning(`the result of ${action} could not be told: ${(error as Error).message}`, {
      code: 'DEED_UNTOLD',
    });
  }
}

/** As JSON holds it; nothing of what it cannot hold. */
function recordable(value: unknown): unknown {
  try {
    return value === undefined ? undefined : JSON.parse(JSON.stringify(value) ?? 'null');
  } catch {
    return undefined;
  }
}
